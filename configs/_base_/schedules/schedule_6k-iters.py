# 6000 iterations from weights that know objects, learning rate x 0.1 at 4000, on 8 GPUs x 2 clips:
# the schedule of Mask2Former for video. Validation comes with the last iteration.
train_cfg = dict(type="IterBasedTrainLoop", max_iters=6000, val_interval=10**9)
val_cfg = dict(type="ValLoop")
test_cfg = dict(type="TestLoop")

embeddings = dict(lr_mult=1.0, decay_mult=0.0)
optim_wrapper = dict(
    type="OptimWrapper",
    optimizer=dict(type="AdamW", lr=1e-4, weight_decay=0.05),
    paramwise_cfg=dict(
        custom_keys=dict(
            backbone=dict(lr_mult=0.1, decay_mult=1.0),
            query_embed=embeddings,
            query_feat=embeddings,
            level_embed=embeddings,
        ),
        norm_decay_mult=0.0,
    ),
    clip_grad=dict(max_norm=0.01, norm_type=2),
)
param_scheduler = [dict(type="MultiStepLR", by_epoch=False, milestones=[4000], gamma=0.1)]
auto_scale_lr = dict(enable=False, base_batch_size=16)
