# One cycle of the learning rate, for training from scratch. The cycle is as long as the training:
# MMEngine ends what has no `end` with `train_cfg.max_iters`. It validates and saves after the last
# iteration, whatever the intervals.
lr = 6e-4

train_cfg = dict(type="IterBasedTrainLoop", max_iters=1800, val_interval=10**9)
val_cfg = dict(type="ValLoop")
test_cfg = dict(type="TestLoop")

optim_wrapper = dict(
    type="OptimWrapper",
    optimizer=dict(type="AdamW", lr=lr, weight_decay=1e-4, fused=True),
    clip_grad=dict(max_norm=1.0, norm_type=2),
)
param_scheduler = [dict(type="OneCycleLR", eta_max=lr, pct_start=0.1, by_epoch=False)]
