# Mask2Former for video with Swin-L (window 12, 384 pixels, ImageNet-21k) on YouTube-VIS 2021.
_base_ = ["./mask2former_r50_ytvis21.py"]

model = dict(
    backbone=dict(
        _delete_=True,
        type="mmdet.SwinTransformer",
        pretrain_img_size=384,
        embed_dims=192,
        depths=[2, 2, 18, 2],
        num_heads=[6, 12, 24, 48],
        window_size=12,
        drop_path_rate=0.3,
        # The classifier of its authors; MMDetection's backbone reads no other kind of init_cfg.
        convert_weights=True,
        init_cfg=dict(
            type="Pretrained",
            checkpoint="https://github.com/SwinTransformer/storage/releases/download/v1.0.0/"
            "swin_large_patch4_window12_384_22k.pth",
        ),
    ),
    head=dict(num_instances=200),
)

# Keys are matched as parts of names and the longest wins, so norms of the backbone need their own,
# here for Swin of all sizes.
slow = dict(lr_mult=0.1, decay_mult=0.0)
norms = [
    "patch_embed.norm",
    "norm",
    *(f"stages.{i}.blocks.{j}.norm" for i in range(4) for j in range(18)),
    *(f"stages.{i}.downsample.norm" for i in range(3)),
]
optim_wrapper = dict(
    paramwise_cfg=dict(
        custom_keys={
            "relative_position_bias_table": slow,
            **{f"backbone.{name}": slow for name in norms},
        }
    )
)
