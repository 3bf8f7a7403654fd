# Small frames and short clips for a CPU. Written for the moving shapes of
# tools/dataset_converters/make_moving_shapes.py; any data set in YouTube-VIS format fits, e.g. with
#   train_dataloader = dict(dataset=dict(data_root=..., ann_file=..., data_prefix=...))
# in a child config. Pipelines are lists, which children replace as a whole; single entries can be
# set on the command line: --cfg-options train_dataloader.dataset.pipeline.0.num_frames=6
dataset_type = "mmttsrn.YouTubeVISDataset"
data_root = "data/moving_shapes/"
num_frames = 4
scale = (192, 96)  # long side at most, short side
# What the packed samples carry; mmdet's default would add every annotation of the frame.
meta_keys = (
    "img_id",
    "img_path",
    "ori_shape",
    "img_shape",
    "scale_factor",
    "flip",
    "flip_direction",
    "frame_id",
    "video_id",
    "video_length",
    "ori_video_length",
    "complete",
)

train_transforms = dict(
    type="mmttsrn.ClipBroadcaster",
    transforms=[
        dict(type="mmttsrn.LoadVideoFrame"),
        dict(type="mmdet.LoadTrackAnnotations", with_mask=True),
        dict(type="mmdet.RandomFlip", prob=0.5),
        dict(type="mmdet.Resize", scale=scale, keep_ratio=True),
        dict(type="mmttsrn.DropInvisibleInstances"),
    ],
)
pack_inputs = dict(type="mmdet.PackTrackInputs", default_meta_keys=meta_keys)
train_pipeline = [
    dict(type="mmttsrn.ClipSample", num_frames=num_frames),
    train_transforms,
    pack_inputs,
]

test_pipeline = [
    dict(
        type="mmttsrn.ClipBroadcaster",
        transforms=[
            dict(type="mmttsrn.LoadVideoFrame"),
            dict(type="mmdet.Resize", scale=scale, keep_ratio=True),
        ],
    ),
    pack_inputs,
]

train_dataloader = dict(
    batch_size=2,
    num_workers=1,
    persistent_workers=True,
    # Random clips of random videos without end: MMEngine rests 2 s where a loader starts over,
    # which is after every few iterations on a small set.
    sampler=dict(type="InfiniteSampler", shuffle=True),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file="train.json",
        data_prefix=dict(img_path="train/JPEGImages"),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=1,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type="DefaultSampler", shuffle=False, round_up=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file="valid.json",
        data_prefix=dict(img_path="valid/JPEGImages"),
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader

val_evaluator = dict(type="mmttsrn.YouTubeVISMetric", classwise=True)
test_evaluator = val_evaluator
