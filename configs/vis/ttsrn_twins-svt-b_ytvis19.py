# TT-SRN with Twins-SVT-B on YouTube-VIS 2019.
_base_ = ["./ttsrn_ytvis19.py"]

model = dict(
    backbone=dict(
        arch="base",
        init_cfg=dict(
            url="https://huggingface.co/timm/twins_svt_base.in1k/resolve/main/model.safetensors"
        ),
    ),
)
