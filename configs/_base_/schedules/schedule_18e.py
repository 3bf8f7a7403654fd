# 18 epochs, learning rate x 0.1 at epoch 12, on 8 GPUs x 1 clip.
train_cfg = dict(type="EpochBasedTrainLoop", max_epochs=18, val_interval=1)
val_cfg = dict(type="ValLoop")
test_cfg = dict(type="TestLoop")

optim_wrapper = dict(
    type="OptimWrapper",
    optimizer=dict(type="AdamW", lr=1e-4, weight_decay=1e-4),
    paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.1))),
    clip_grad=dict(max_norm=0.1, norm_type=2),
)
param_scheduler = [dict(type="MultiStepLR", by_epoch=True, milestones=[12], gamma=0.1)]
auto_scale_lr = dict(enable=False, base_batch_size=8)
