# youtube_vis_tiny.py for training on few real videos of 320x180 pixels: objects of other videos are
# pasted on single frames, and a random part of them is taken at a random size.
_base_ = ["./youtube_vis_tiny.py"]

load_frames = dict(
    type="mmttsrn.ClipBroadcaster",
    transforms=[
        dict(type="mmttsrn.LoadVideoFrame"),
        dict(type="mmdet.LoadTrackAnnotations", with_mask=True),
    ],
)
paste_objects = dict(type="mmttsrn.ClipCopyPaste", max_objects=2, stride=(1, 6))
augment = dict(
    type="mmttsrn.ClipBroadcaster",
    transforms=[
        dict(
            type="RandomResize",
            resize_type="mmdet.Resize",
            scale=(320, 180),
            ratio_range=(0.55, 1.4),
            keep_ratio=True,
        ),
        # Width, height. No frame is smaller at the lowest ratio, so that all clips of a batch
        # have this size and none is padded.
        dict(
            type="mmdet.RandomCrop",
            crop_size=(160, 96),
            allow_negative_crop=True,
            recompute_bbox=True,
        ),
        dict(type="mmdet.RandomFlip", prob=0.5),
        dict(type="mmttsrn.ClipPhotoMetricDistortion"),
        dict(type="mmttsrn.DropInvisibleInstances"),
    ],
)
train_pipeline = [
    dict(type="mmttsrn.ClipSample", num_frames=1),
    load_frames,
    paste_objects,
    augment,
    {{_base_.pack_inputs}},
]
# Whole frames, at a size where objects are about as large as in training.
test_pipeline = [
    dict(
        type="mmttsrn.ClipBroadcaster",
        transforms=[
            dict(type="mmttsrn.LoadVideoFrame"),
            dict(type="mmdet.Resize", scale=(256, 144), keep_ratio=True),
        ],
    ),
    {{_base_.pack_inputs}},
]

train_dataloader = dict(batch_size=8, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
