# Mask2Former for video with ResNet-101 on YouTube-VIS 2021.
_base_ = ["./mask2former_r50_ytvis21.py"]

model = dict(
    backbone=dict(
        depth=101,
        init_cfg=dict(
            url="https://download.pytorch.org/models/resnet101-63fe2227.pth",
            sha256="63fe2227",
        ),
    )
)
