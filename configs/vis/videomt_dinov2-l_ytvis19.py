# VidEoMT with DINOv2-L on YouTube-VIS 2019, to go on from published weights.
_base_ = ["./videomt_dinov2-s_ytvis19.py"]

vit = dict(hidden_size=1024, num_hidden_layers=24, num_attention_heads=16, num_blocks=4)
model = dict(
    backbone=dict(vit=vit),
    head=dict(blocks=dict(vit=vit), mask_branch=dict(hidden_channels=[1024, 1024])),
)

first = 20
decay = 0.6
depth = 24
optim_wrapper = dict(
    paramwise_cfg=dict(
        custom_keys={
            "backbone.embeddings": dict(lr_mult=decay**depth),
            **{f"backbone.layers.{i}.": dict(lr_mult=decay ** (depth - i)) for i in range(first)},
            **{
                f"head.blocks.layers.{i}.": dict(lr_mult=decay ** (depth - first - i))
                for i in range(depth - first)
            },
        }
    )
)
