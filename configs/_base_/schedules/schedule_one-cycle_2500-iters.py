# One cycle of the learning rate, and what goes with iterations instead of epochs; includes the
# default runtime, whose hooks it changes.
_base_ = ["./schedule_one-cycle.py", "../default_runtime.py"]

max_iters = 2500
lr = 8e-4

train_cfg = dict(max_iters=max_iters, val_interval=max_iters)
optim_wrapper = dict(optimizer=dict(lr=lr, weight_decay=0.05))
param_scheduler = [
    dict(
        type="OneCycleLR",
        eta_max=lr,
        total_steps=max_iters,
        pct_start=0.1,
        by_epoch=False,
        begin=0,
        end=max_iters,
    )
]
log_processor = dict(by_epoch=False)
default_hooks = dict(checkpoint=dict(by_epoch=False, interval=max_iters, max_keep_ckpts=1))
