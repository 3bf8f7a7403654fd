# TT-SRN with Twins-SVT-L on YouTube-VIS 2019.
_base_ = ["./ttsrn_ytvis19.py"]

model = dict(
    backbone=dict(
        arch="large",
        init_cfg=dict(
            url="https://huggingface.co/timm/twins_svt_large.in1k/resolve/main/model.safetensors"
        ),
    ),
)
