# One cycle of the learning rate over 2500 iterations, for masked-attention queries.
_base_ = ["./schedule_one-cycle.py"]

lr = 8e-4

train_cfg = dict(max_iters=2500)
optim_wrapper = dict(optimizer=dict(lr=lr, weight_decay=0.05))
param_scheduler = [dict(type="OneCycleLR", eta_max=lr, pct_start=0.1, by_epoch=False)]
