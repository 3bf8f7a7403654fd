# TT-SRN with Twins-SVT-L on YouTube-VIS 2019.
_base_ = ["./ttsrn_ytvis19.py"]

channels = [128, 256, 512, 1024]
model = dict(
    backbone=dict(
        arch="large",
        init_cfg=dict(
            url="https://huggingface.co/timm/twins_svt_large.in1k/resolve/main/model.safetensors"
        ),
    ),
    neck=dict(in_channels=channels),
    mask_head=dict(fine_channels=channels[:3]),
)
