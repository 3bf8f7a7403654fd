# Which things are objects, whatever they are: masked-attention queries on an EfficientNet-Lite0 of
# ImageNet, trained on photographs with object masks. There is no class branch: the score is the IoU
# that the model expects of each mask. Validated and tested on real videos.
_base_ = [
    "../_base_/models/ttsrn-m2f_efficientnet-lite0.py",
    "../_base_/datasets/youtube_vis_tiny_augmented.py",
    "../_base_/schedules/schedule_one-cycle_2500-iters.py",
    "../_base_/iteration_runtime.py",
]

model = dict(
    head=dict(
        num_classes=1,
        num_instances=20,
        cls_branch=None,
        quality_branch=dict(type="mmttsrn.MLPBranch", hidden_channels=[96]),
    ),
    criterion=dict(
        matcher=dict(
            costs=[
                dict(type="mmttsrn.SequenceMaskCost", weight=5.0),
                dict(type="mmttsrn.SequenceDiceCost", weight=5.0),
            ]
        ),
        terms=dict(
            loss_cls=None,
            loss_quality=dict(
                type="mmttsrn.SequenceQualityTerm",
                loss=dict(type="mmdet.CrossEntropyLoss", use_sigmoid=True, loss_weight=2.0),
            ),
        ),
    ),
)

augment = _base_.augment
augment["transforms"][0].update(scale=(320, 240), ratio_range=(0.6, 1.3))
augment["transforms"][1].update(crop_size=(192, 128))
train_pipeline = [
    dict(type="mmttsrn.ClipSample", num_frames=1),
    {{_base_.load_frames}},
    # Of other photographs, at the sizes that occur.
    dict(type="mmttsrn.ClipCopyPaste", max_objects=4, scale=(0.2, 0.9)),
    augment,
    {{_base_.pack_inputs}},
]
dataset = dict(data_prefix=dict(img_path="JPEGImages"), class_agnostic=True)
train_dataloader = dict(
    dataset=dict(
        data_root="data/objects/", ann_file="train.json", pipeline=train_pipeline, **dataset
    )
)
val_dataloader = dict(dataset=dict(data_root="data/davis/", ann_file="val_multi.json", **dataset))
test_dataloader = dict(dataset=dict(data_root="data/davis/", ann_file="val.json", **dataset))

# 1800 iterations took 50 minutes on one core next to another job.
train_cfg = dict(max_iters=1800)
optim_wrapper = dict(paramwise_cfg=dict(custom_keys={"backbone": dict(lr_mult=0.2)}))
