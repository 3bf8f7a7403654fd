# TT-SRN with Twins-SVT-B on YouTube-VIS 2019.
_base_ = ["./ttsrn_ytvis19.py"]

channels = [96, 192, 384, 768]
model = dict(
    backbone=dict(
        arch="base",
        init_cfg=dict(
            url="https://huggingface.co/timm/twins_svt_base.in1k/resolve/main/model.safetensors"
        ),
    ),
    neck=dict(in_channels=channels),
    mask_head=dict(fine_channels=channels[:3]),
)
