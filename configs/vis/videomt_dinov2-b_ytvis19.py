# VidEoMT with DINOv2-B on YouTube-VIS 2019, to go on from published weights.
_base_ = ["./videomt_dinov2-s_ytvis19.py"]

vit = dict(hidden_size=768, num_attention_heads=12)
model = dict(
    backbone=dict(vit=vit),
    head=dict(blocks=dict(vit=vit), mask_branch=dict(hidden_channels=[768, 768])),
)
