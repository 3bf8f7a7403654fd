# VidEoMT with the Vision Transformer of DINOv2-S: no neck, no decoder; needs Transformers.
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
    type="mmttsrn.TTSRN",
    data_preprocessor=dict(
        type="mmdet.TrackDataPreprocessor",
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_mask=True,
        pad_size_divisor=1,
    ),
    backbone=dict(type="mmttsrn.VisionBackbone", vit=vit),
    head=dict(
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
        type="mmttsrn.SequenceSetLoss",
        matcher=dict(
            type="mmttsrn.InstanceSequenceMatcher",
            costs=[
                dict(type="mmttsrn.SequenceClassCost", weight=2.0, absent_as_first=False),
                dict(type="mmttsrn.SequenceMaskCost", weight=5.0, num_points=12544),
                dict(type="mmttsrn.SequenceDiceCost", weight=5.0, num_points=12544),
            ],
        ),
        terms=dict(
            loss_cls=dict(
                type="mmttsrn.FrameClassTerm",
                no_object_weight=0.1,
                loss=dict(type="mmdet.CrossEntropyLoss", loss_weight=2.0),
            ),
            loss_mask=dict(
                type="mmttsrn.SequencePixelTerm",
                num_points=12544,
                oversample_ratio=3.0,
                importance_ratio=0.75,
                loss=dict(type="mmdet.CrossEntropyLoss", use_sigmoid=True, loss_weight=5.0),
            ),
            loss_dice=dict(
                type="mmttsrn.SequenceRegionTerm",
                num_points=12544,
                oversample_ratio=3.0,
                importance_ratio=0.75,
                loss=dict(
                    type="mmdet.DiceLoss",
                    use_sigmoid=True,
                    naive_dice=True,
                    eps=1.0,
                    loss_weight=5.0,
                ),
            ),
        ),
    ),
    post_processor=dict(
        type="mmttsrn.InstanceQueryPostProcessor", null_frame_score=0.01, mask_quality=False
    ),
    clip_linker=dict(type="mmttsrn.ClipLinker", same_slot=0.2),
    fill_clips=False,
)
