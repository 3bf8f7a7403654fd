# VidEoMT with DINOv3-L on YouTube-VIS 2019, to go on from published weights.
_base_ = ["./videomt_dinov2-l_ytvis19.py"]

vit = dict(model_type="eomt_dinov3", intermediate_size=4096, layer_norm_eps=1e-5)
model = dict(backbone=dict(vit=vit), head=dict(blocks=dict(vit=vit)))
