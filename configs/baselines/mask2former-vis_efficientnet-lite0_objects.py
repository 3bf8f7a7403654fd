# mmdet's Mask2Former for videos beside ttsrn-m2f_efficientnet-lite0_objects.py: the same backbone,
# start, data and schedule. Its head does not take single frames: 4 pairs of frames a step, those of
# photographs as a moving camera sees them.
_base_ = [
    "../_base_/models/mask2former-vis_tiny.py",
    "../vis/ttsrn-m2f_efficientnet-lite0_objects.py",
]

backbone = _base_.model.backbone
pixels = {key: _base_.model.data_preprocessor[key] for key in ("mean", "std")}
model = dict(_delete_=True, **_base_.mask2former)
model["backbone"] = backbone
model["data_preprocessor"].update(pixels)
model["track_head"].update(in_channels=[24, 40, 112, 320], num_classes=1)
model["track_head"]["loss_cls"]["class_weight"] = [1.0, 0.1]

pair = dict(type="mmttsrn.ClipSample", num_frames=2, stride=(1, 6))
photograph_pipeline = [
    pair,
    {{_base_.load_frames}},
    {{_base_.paste_objects}},
    dict(type="mmttsrn.ClipMotion"),
    {{_base_.augment}},
    {{_base_.pack_inputs}},
]
video_pipeline = [pair, {{_base_.load_frames}}, {{_base_.augment}}, {{_base_.pack_inputs}}]
train_dataloader = dict(
    batch_size=4,
    sampler=dict(batch_size=4, source_ratio=[2, 1, 1]),
    dataset=dict(
        datasets=[
            dict(pipeline=photograph_pipeline, **_base_.photographs),
            dict(ann_file="train.json", pipeline=photograph_pipeline, **_base_.videos),
            dict(ann_file="train_multi.json", pipeline=video_pipeline, **_base_.videos),
        ]
    ),
)
