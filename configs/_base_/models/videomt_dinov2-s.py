# VidEoMT with the Vision Transformer of DINOv2-S: no neck, no decoder; needs Transformers.
_base_ = ["./mask2former_r50.py"]

vit = dict(
    model_type="videomt",
    hidden_size=384,
    num_hidden_layers=12,
    num_attention_heads=6,
    image_size=640,
    patch_size=16,
    num_blocks=3,
    num_register_tokens=4,
)

model = dict(
    data_preprocessor=dict(pad_size_divisor=1),
    backbone=dict(_delete_=True, type="mmttsrn.VisionBackbone", vit=vit),
    pixel_decoder=None,
    head=dict(
        _delete_=True,
        type="mmttsrn.EncoderOnlyHead",
        num_classes=40,
        num_frames=5,
        num_instances=200,
        blocks=dict(type="mmttsrn.VisionBlocks", vit=vit),
        cls_branch=dict(type="mmttsrn.MLPBranch"),
        mask_branch=dict(
            type="mmttsrn.MLPBranch", hidden_channels=[384, 384], act_cfg=dict(type="GELU")
        ),
    ),
    criterion=dict(
        terms=dict(
            # A query has a class of its own in each frame.
            loss_cls=dict(type="mmttsrn.FrameClassTerm"),
            loss_mask=dict(loss=dict(loss_weight=5.0)),
            loss_dice=dict(loss=dict(loss_weight=5.0)),
        )
    ),
    post_processor=dict(null_frame_score=0.01, top_k=None),
    clip_linker=dict(same_slot=0.2),
)
