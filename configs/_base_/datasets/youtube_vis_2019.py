# YouTube-VIS 2019 as published: train.json and valid.json beside {train,valid}/JPEGImages.
# The published valid split has no ground truth: results.json and results.zip are written for the
# evaluation server.
dataset_type = "mmttsrn.YouTubeVISDataset"
data_root = "data/youtube_vis_2019/"
backend_args = None
num_frames = 36
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

# ClipBroadcaster draws everything random once per clip.
train_pipeline = [
    dict(type="mmttsrn.ClipSample", num_frames=num_frames),
    dict(
        type="mmttsrn.ClipBroadcaster",
        transforms=[
            dict(type="mmttsrn.LoadVideoFrame", backend_args=backend_args),
            dict(type="mmdet.LoadTrackAnnotations", with_mask=True),
            dict(type="mmdet.RandomFlip", prob=0.5),
            # Short side from the first number, long side at most 800.
            dict(
                type="RandomChoiceResize",
                resize_type="mmdet.Resize",
                scales=[
                    (800, 480),
                    (800, 512),
                    (800, 544),
                    (800, 576),
                    (800, 608),
                    (800, 640),
                    (800, 672),
                    (800, 704),
                    (800, 736),
                    (800, 768),
                ],
                keep_ratio=True,
            ),
            dict(type="mmttsrn.ClipPhotoMetricDistortion"),
            # Short side 400, 500 or 600; the long side is free.
            dict(
                type="RandomChoiceResize",
                resize_type="mmdet.Resize",
                scales=[(10000, 400), (10000, 500), (10000, 600)],
                keep_ratio=True,
            ),
            dict(
                type="mmdet.RandomCrop",
                crop_size=(384, 600),
                crop_type="absolute_range",
                allow_negative_crop=True,
            ),
            dict(type="mmdet.Resize", scale=(540, 300), keep_ratio=True),
            dict(type="mmttsrn.DropInvisibleInstances"),
        ],
    ),
    dict(type="mmdet.PackTrackInputs", default_meta_keys=meta_keys),
]

# The metric reads ground truth from the json itself, so a test pipeline loads images only.
test_pipeline = [
    dict(
        type="mmttsrn.ClipBroadcaster",
        transforms=[
            dict(type="mmttsrn.LoadVideoFrame", backend_args=backend_args),
            dict(type="mmdet.Resize", scale=(540, 300), keep_ratio=True),
        ],
    ),
    dict(type="mmdet.PackTrackInputs", default_meta_keys=meta_keys),
]

train_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    # One sample per frame: an epoch visits every frame of every annotated video.
    sampler=dict(type="mmdet.TrackImgSampler"),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file="train.json",
        data_prefix=dict(img_path="train/JPEGImages"),
        backend_args=backend_args,
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    drop_last=False,
    # One sample per video.
    sampler=dict(type="DefaultSampler", shuffle=False, round_up=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file="valid.json",
        data_prefix=dict(img_path="valid/JPEGImages"),
        backend_args=backend_args,
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader

val_evaluator = dict(type="mmttsrn.YouTubeVISMetric")
test_evaluator = val_evaluator
