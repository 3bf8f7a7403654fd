# A small VidEoMT that is trained from nothing on a CPU: square frames of 128 pixels, patches of 8.
_base_ = ["./videomt_dinov2-s.py"]

vit = dict(
    _delete_=True,
    model_type="videomt",
    hidden_size=128,
    num_hidden_layers=6,
    num_attention_heads=4,
    image_size=128,
    patch_size=8,
    num_blocks=3,
    num_register_tokens=0,
)
# Published weights start from embeddings of standard deviation 1.
small = dict(type="Normal", layer=["Embedding", "Linear"], std=0.02)

model = dict(
    backbone=dict(vit=vit, init_cfg=small),
    head=dict(
        num_classes=4,
        num_instances=10,
        num_upscale=1,
        blocks=dict(vit=vit, init_cfg=small),
        mask_branch=dict(hidden_channels=[128, 128]),
    ),
    criterion=dict(
        matcher=dict(
            costs=[
                dict(type="mmttsrn.SequenceClassCost", weight=0.5, absent_as_first=False),
                dict(type="mmttsrn.SequenceMaskCost", weight=5.0),
                dict(type="mmttsrn.SequenceDiceCost", weight=5.0),
            ]
        ),
        terms=dict(
            loss_cls=dict(no_object_weight=0.3, loss=dict(loss_weight=3.0)),
            loss_mask=dict(num_points=None),
            loss_dice=dict(num_points=None),
        ),
    ),
    post_processor=dict(mask_quality=True, nms_iou=0.3),
)
