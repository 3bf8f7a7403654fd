# Tiny TT-SRN with masked-attention instance queries on generated moving shapes: the configuration
# of `make demo`.
_base_ = [
    "../_base_/models/ttsrn-m2f_tiny.py",
    "../_base_/datasets/youtube_vis_tiny.py",
    "../_base_/schedules/schedule_one-cycle.py",
    "../_base_/default_runtime.py",
]

# Two frames of many clips instead of many frames of few: what is alike in the frames of a clip
# teaches little about classes.
train_dataloader = dict(
    batch_size=4,
    dataset=dict(
        pipeline=[
            dict(type="mmttsrn.ClipSample", num_frames=2, stride=(1, 6)),
            {{_base_.train_transforms}},
            {{_base_.pack_inputs}},
        ]
    ),
)

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
custom_hooks = [
    dict(type="mmttsrn.SafeCheckpointHook"),
    dict(type="mmttsrn.ClassCountCheckHook"),
    dict(type="mmttsrn.HostMemoryHook"),
    dict(type="EMAHook", momentum=0.005),
]
log_processor = dict(by_epoch=False)
default_hooks = dict(
    checkpoint=dict(by_epoch=False, interval=max_iters, max_keep_ckpts=1),
)
