# Which things are objects, whatever they are: masked-attention queries on an EfficientNet-Lite0 of
# ImageNet, trained on photographs with object masks and on a few videos. There is no class branch:
# the score is the IoU that the model expects of each mask. Validated and tested on videos of other
# objects in other places.
_base_ = [
    "../_base_/models/ttsrn-m2f_efficientnet-lite0.py",
    "../_base_/datasets/youtube_vis_tiny_augmented.py",
    "../_base_/schedules/schedule_one-cycle_2500-iters.py",
    "../_base_/iteration_runtime.py",
]

model = dict(
    head=dict(num_classes=1, num_instances=20, cls_branch=None),
    criterion=dict(
        matcher=dict(costs=_base_.model.criterion.matcher.costs[1:]),  # without that of classes
        terms=dict(loss_cls=None),
    ),
)

# Single frames of 320 pixels at most, seen nearly whole: a part of an object is none.
augment = _base_.augment
augment["transforms"][0].update(scale=(320, 240), ratio_range=(0.65, 1.15))
augment["transforms"][1].update(crop_size=(192, 128))
dataset = dict(
    type="mmttsrn.YouTubeVISDataset",
    data_prefix=dict(img_path="JPEGImages"),
    class_agnostic=True,
)
photographs = dict(data_root="data/objects/", ann_file="train.json", **dataset)
# Objects of the photographs, at the sizes that occur.
paste_objects = dict(
    type="mmttsrn.ClipCopyPaste", max_objects=4, scale=(0.2, 0.9), source=photographs
)
train_pipeline = [
    dict(type="mmttsrn.ClipSample", num_frames=1),
    {{_base_.load_frames}},
    paste_objects,
    augment,
    {{_base_.pack_inputs}},
]
multi_pipeline = [step for step in train_pipeline if step is not paste_objects]
videos = dict(data_root="data/davis/", **dataset)
train_dataloader = dict(
    sampler=dict(
        _delete_=True, type="mmdet.MultiSourceSampler", batch_size=8, source_ratio=[5, 2, 1]
    ),
    dataset=dict(
        _delete_=True,
        type="ConcatDataset",
        ignore_keys=["ann_file"],
        datasets=[
            dict(pipeline=train_pipeline, **photographs),
            dict(ann_file="train.json", pipeline=train_pipeline, **videos),
            dict(ann_file="train_multi.json", pipeline=multi_pipeline, **videos),
        ],
    ),
)
val_dataloader = dict(dataset=dict(ann_file="val_multi.json", **videos))
test_dataloader = dict(dataset=dict(ann_file="val.json", **videos))

# 50 minutes on 2 cores.
train_cfg = dict(max_iters=4000)
