# YouTube-VIS 2019 for decoders with one query for all frames: short clips without crops, resized to
# at most 640 x 360, as MMDetection trains Mask2Former.
_base_ = "./youtube_vis_2019.py"

num_frames = 2
scale = (640, 360)
train_transforms = dict(
    type="mmttsrn.ClipBroadcaster",
    transforms=[
        dict(type="mmttsrn.LoadVideoFrame", backend_args=None),
        dict(type="mmdet.LoadTrackAnnotations", with_mask=True),
        dict(type="mmdet.Resize", scale=scale, keep_ratio=True),
        dict(type="mmdet.RandomFlip", prob=0.5),
        dict(type="mmttsrn.DropInvisibleInstances"),
    ],
)
pack_inputs = dict(type="mmdet.PackTrackInputs", default_meta_keys={{_base_.meta_keys}})
train_pipeline = [
    # The two frames are up to 20 apart.
    dict(type="mmttsrn.ClipSample", num_frames=num_frames, stride=(1, 20)),
    train_transforms,
    pack_inputs,
]
test_pipeline = [
    dict(
        type="mmttsrn.ClipBroadcaster",
        transforms=[
            dict(type="mmttsrn.LoadVideoFrame", backend_args=None),
            dict(type="mmdet.Resize", scale=scale, keep_ratio=True),
        ],
    ),
    pack_inputs,
]

train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
