# From the released model for objects of any kind to two classes, learnt from 20 clips. In half of
# the training frames the objects of the clips are pasted on photographs of other things: on the
# clips alone the model learns their places as well.
_base_ = [
    "../_base_/models/ttsrn-m2f_efficientnet-lite0.py",
    "../_base_/datasets/youtube_vis_tiny_augmented.py",
    "../_base_/schedules/schedule_one-cycle_2500-iters.py",
    "../_base_/iteration_runtime.py",
]

load_from = "ttsrn-m2f_efficientnet-lite0_objects"
model = dict(backbone=dict(init_cfg=None), head=dict(num_classes=2, num_instances=20))

clips = dict(
    type="mmttsrn.YouTubeVISDataset",
    data_root="data/copypaste/",
    ann_file="train.json",
    data_prefix=dict(img_path="JPEGImages"),
)
# Any folder of images: a json that lists them as videos of one frame, without annotations.
backgrounds = dict(
    type="mmttsrn.YouTubeVISDataset",
    data_root="data/objects/",
    ann_file="photographs.json",
    data_prefix=dict(img_path="JPEGImages"),
    filter_cfg=dict(filter_empty_gt=False),
    indices=800,  # the others are for tests
)
paste_clips = dict(type="mmttsrn.ClipCopyPaste", max_objects=4, source=clips)
train_dataloader = dict(
    sampler=dict(_delete_=True, type="mmdet.MultiSourceSampler", batch_size=8, source_ratio=[1, 1]),
    dataset=dict(
        _delete_=True,
        type="ConcatDataset",
        ignore_keys=["ann_file"],
        datasets=[
            dict(pipeline={{_base_.train_pipeline}}, **clips),
            dict(
                pipeline=[
                    dict(type="mmttsrn.ClipSample", num_frames=1),
                    {{_base_.load_frames}},
                    paste_clips,
                    {{_base_.augment}},
                    {{_base_.pack_inputs}},
                ],
                **backgrounds,
            ),
        ],
    ),
)
dataset = dict(data_root="data/copypaste/", data_prefix=dict(img_path="JPEGImages"))
val_dataloader = dict(dataset=dict(ann_file="val.json", **dataset))
test_dataloader = val_dataloader

# 13 minutes on 2 cores.
train_cfg = dict(max_iters=1200)
