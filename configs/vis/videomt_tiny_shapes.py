# A small VidEoMT on generated moving shapes; needs Transformers.
_base_ = [
    "../_base_/models/videomt_tiny.py",
    "../_base_/datasets/youtube_vis_tiny.py",
    "../_base_/schedules/schedule_one-cycle_2500-iters.py",
    "../_base_/iteration_runtime.py",
]

scale = (128, 128)
train_transforms = dict(
    type="mmttsrn.ClipBroadcaster",
    transforms=[
        dict(type="mmttsrn.LoadVideoFrame"),
        dict(type="mmdet.LoadTrackAnnotations", with_mask=True),
        dict(type="mmdet.RandomFlip", prob=0.5),
        dict(type="mmdet.Resize", scale=scale, keep_ratio=False),
        dict(type="mmttsrn.DropInvisibleInstances"),
    ],
)
test_pipeline = [
    dict(
        type="mmttsrn.ClipBroadcaster",
        transforms=[
            dict(type="mmttsrn.LoadVideoFrame"),
            dict(type="mmdet.Resize", scale=scale, keep_ratio=False),
        ],
    ),
    {{_base_.pack_inputs}},
]

lr = 5e-4
train_cfg = dict(max_iters=1700)
optim_wrapper = dict(optimizer=dict(lr=lr))
param_scheduler = [dict(type="OneCycleLR", eta_max=lr, pct_start=0.1, by_epoch=False)]

train_dataloader = dict(
    batch_size=4,
    dataset=dict(
        pipeline=[
            dict(type="mmttsrn.ClipSample", num_frames=2, stride=(1, 3)),
            train_transforms,
            {{_base_.pack_inputs}},
        ]
    ),
)
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader

default_hooks = dict(mask_annealing=dict(type="mmttsrn.MaskAnnealingHook"))
