# TT-SRN with the numbers of the paper: Twins-SVT-S, 36 frames, 10 instances, width 384.
model = dict(
    type="mmttsrn.TTSRN",
    data_preprocessor=dict(
        type="mmdet.TrackDataPreprocessor",
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_mask=True,
        pad_size_divisor=32,
    ),
    backbone=dict(
        type="mmttsrn.TwinsSVT",
        arch="small",
        drop_path_rate=0.2,
        # ImageNet weights of the authors, as timm hosts them. `checkpoint` names a local file.
        init_cfg=dict(
            type="mmttsrn.PretrainedWeights",
            url="https://huggingface.co/timm/twins_svt_small.in1k/resolve/main/model.safetensors",
        ),
    ),
    neck=dict(
        type="mmttsrn.SpatioTemporalEncoder",
        embed_dims=384,
        num_layers=6,
        num_heads=8,
        ffn_channels=2048,
        dropout=0.1,
        act_cfg=dict(type="GELU"),
        positional_encoding=dict(type="mmttsrn.SinePositionEncoding3D", temperature=10000.0),
    ),
    head=dict(
        type="mmttsrn.InstanceSequenceHead",
        num_classes=40,
        num_frames=36,
        num_instances=10,
        embed_dims=384,
        num_layers=6,
        num_heads=8,
        ffn_channels=2048,
        dropout=0.1,
        act_cfg=dict(type="GELU"),
        cls_branch=dict(
            type="mmttsrn.SirenBranch", sine_channels=[128], linear_channels=[64], dropout=0.2
        ),
        bbox_branch=dict(
            type="mmttsrn.SirenBranch", sine_channels=[128, 64], linear_channels=[32], dropout=0.2
        ),
    ),
    mask_head=dict(
        type="mmttsrn.SequenceMaskHead",
        embed_dims=384,
        num_heads=8,
        fpn_channels=[192, 96, 48],
        feat_channels=24,
        seq_channels=12,
        num_groups=8,
        seq_num_groups=4,
        act_cfg=dict(type="GELU"),
    ),
    criterion=dict(
        type="mmttsrn.SequenceSetLoss",
        matcher=dict(
            type="mmttsrn.InstanceSequenceMatcher",
            costs=[
                dict(type="mmttsrn.SequenceClassCost", weight=1.0),
                dict(type="mmttsrn.SequenceBoxL1Cost", weight=5.0),
                dict(type="mmttsrn.SequenceIoUCost", weight=2.0, mode="iou"),
            ],
        ),
        terms=dict(
            loss_cls=dict(
                type="mmttsrn.FrameClassTerm",
                no_object_weight=0.1,
                loss=dict(type="mmdet.CrossEntropyLoss", loss_weight=1.0),
            ),
            loss_bbox=dict(
                type="mmttsrn.FrameBoxTerm", loss=dict(type="mmdet.L1Loss", loss_weight=5.0)
            ),
            loss_giou=dict(
                type="mmttsrn.FrameBoxTerm",
                loss=dict(type="mmttsrn.SmoothedGIoULoss", loss_weight=2.0),
            ),
            loss_mask=dict(
                type="mmttsrn.FramePixelTerm",
                loss=dict(
                    type="mmdet.FocalLoss",
                    use_sigmoid=True,
                    gamma=2.0,
                    alpha=0.25,
                    loss_weight=1.0,
                ),
            ),
            loss_dice=dict(
                type="mmttsrn.FrameRegionTerm",
                loss=dict(
                    type="mmdet.DiceLoss",
                    use_sigmoid=True,
                    naive_dice=True,
                    eps=1.0,
                    loss_weight=1.0,
                ),
            ),
        ),
    ),
    post_processor=dict(type="mmttsrn.SequencePostProcessor", mask_thr=0.5),
    clip_linker=dict(type="mmttsrn.ClipLinker", min_iou=0.2, min_score=0.05),
)
