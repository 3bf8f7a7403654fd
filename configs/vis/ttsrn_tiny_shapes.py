# Tiny TT-SRN on the generated moving shapes: the configuration of `make demo`.
_base_ = [
    "../_base_/models/ttsrn_tiny.py",
    "../_base_/datasets/youtube_vis_tiny.py",
    "../_base_/schedules/schedule_one-cycle.py",
    "../_base_/default_runtime.py",
]

log_processor = dict(by_epoch=False)
default_hooks = dict(
    checkpoint=dict(by_epoch=False, interval={{_base_.max_iters}}, max_keep_ckpts=1)
)
