# Mask2Former for video with Swin-S (window 7, 224 pixels, ImageNet-1k) on YouTube-VIS 2019.
_base_ = ["./mask2former_swin-l_ytvis19.py"]

model = dict(
    backbone=dict(
        pretrain_img_size=224,
        embed_dims=96,
        num_heads=[3, 6, 12, 24],
        window_size=7,
        init_cfg=dict(
            checkpoint="https://github.com/SwinTransformer/storage/releases/download/v1.0.0/"
            "swin_small_patch4_window7_224.pth",
        ),
    ),
    head=dict(num_instances=100),
)
