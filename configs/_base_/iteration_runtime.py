# The default runtime for schedules in iterations: one checkpoint, after the last of them.
_base_ = ["./default_runtime.py"]

default_hooks = dict(checkpoint=dict(by_epoch=False, interval=-1, max_keep_ckpts=1))
log_processor = dict(by_epoch=False)
