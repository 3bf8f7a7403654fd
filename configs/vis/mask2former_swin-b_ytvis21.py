# Mask2Former for video with Swin-B (window 12, 384 pixels, ImageNet-21k) on YouTube-VIS 2021.
_base_ = ["./mask2former_swin-l_ytvis21.py"]

model = dict(
    backbone=dict(
        embed_dims=128,
        num_heads=[4, 8, 16, 32],
        init_cfg=dict(
            checkpoint="https://github.com/SwinTransformer/storage/releases/download/v1.0.0/"
            "swin_base_patch4_window12_384_22k.pth",
        ),
    ),
    head=dict(num_instances=100),
)
