# mmdet's Mask2Former for videos beside ttsrn-m2f_tiny_davis-objects.py: 4 clips of 2 frames a step.
_base_ = ["../_base_/models/mask2former-vis_tiny.py", "./ttsrn-m2f_tiny_davis-objects.py"]

model = dict(_delete_=True, **_base_.mask2former)
model["track_head"]["num_classes"] = 1
model["track_head"]["loss_cls"]["class_weight"] = [1.0, 0.1]
# It gives the ten best pairs of query and class.
model["track_head"]["num_queries"] = 10

train_pipeline = [
    dict(type="mmttsrn.ClipSample", num_frames=2, stride=(1, 6)),
    {{_base_.load_frames}},
    {{_base_.augment}},
    {{_base_.pack_inputs}},
]
train_dataloader = dict(
    batch_size=4,
    dataset=dict(
        datasets=[
            dict(ann_file=ann_file, pipeline=train_pipeline, **_base_.videos)
            for ann_file in ("train_multi.json", "train.json")
        ]
    ),
)
