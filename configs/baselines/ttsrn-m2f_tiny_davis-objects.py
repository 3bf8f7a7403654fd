# Tiny TT-SRN on the data that the baselines beside it have: real videos with pasted objects, all
# of one class; 12 videos of one object and 96 clips of several for training, 16 clips of several
# objects of other videos for testing. 8 single frames a step.
_base_ = [
    "../_base_/models/ttsrn-m2f_tiny.py",
    "../_base_/datasets/youtube_vis_tiny_augmented.py",
    "../_base_/schedules/schedule_one-cycle_2500-iters.py",
    "../_base_/iteration_runtime.py",
]

model = dict(head=dict(num_classes=1))

videos = dict(
    type="mmttsrn.YouTubeVISDataset",
    data_root="data/davis/",
    data_prefix=dict(img_path="JPEGImages"),
    class_agnostic=True,
)
train_pipeline = [
    dict(type="mmttsrn.ClipSample", num_frames=1),
    {{_base_.load_frames}},
    {{_base_.augment}},
    {{_base_.pack_inputs}},
]
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type="ConcatDataset",
        datasets=[
            dict(ann_file=ann_file, pipeline=train_pipeline, **videos)
            for ann_file in ("train_multi.json", "train.json")
        ],
        ignore_keys=["ann_file"],
    )
)
test_pipeline = [
    dict(
        type="mmttsrn.ClipBroadcaster",
        transforms=[
            dict(type="mmttsrn.LoadVideoFrame"),
            dict(type="mmdet.Resize", scale=(192, 108), keep_ratio=True),
        ],
    ),
    {{_base_.pack_inputs}},
]
val_dataloader = dict(
    dataset=dict(ann_file="val_multi.json", pipeline=test_pipeline, **videos),
)
test_dataloader = val_dataloader
