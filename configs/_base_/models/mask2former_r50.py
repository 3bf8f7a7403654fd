# Mask2Former for video (2021) with ResNet-50: MMDetection's backbone and pixel decoder, our decoder
# and losses.
num_classes = 40

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
        type="mmdet.ResNet",
        depth=50,
        out_indices=(0, 1, 2, 3),
        frozen_stages=-1,
        norm_cfg=dict(type="BN", requires_grad=False),
        norm_eval=True,
        style="pytorch",
        init_cfg=dict(
            type="mmttsrn.PretrainedWeights",
            url="https://download.pytorch.org/models/resnet50-0676ba61.pth",
            sha256="0676ba61",
        ),
    ),
    pixel_decoder=dict(
        type="mmttsrn.FramePixelDecoder",
        decoder=dict(
            type="mmdet.MSDeformAttnPixelDecoder",
            strides=[4, 8, 16, 32],
            feat_channels=256,
            out_channels=256,
            num_outs=3,
            norm_cfg=dict(type="GN", num_groups=32),
            act_cfg=dict(type="ReLU"),
            encoder=dict(
                num_layers=6,
                layer_cfg=dict(
                    self_attn_cfg=dict(
                        embed_dims=256,
                        num_heads=8,
                        num_levels=3,
                        num_points=4,
                        im2col_step=128,
                        dropout=0.0,
                        batch_first=True,
                    ),
                    ffn_cfg=dict(embed_dims=256, feedforward_channels=1024, ffn_drop=0.0),
                ),
            ),
            positional_encoding=dict(num_feats=128, normalize=True),
        ),
    ),
    head=dict(
        type="mmttsrn.MaskedAttentionHead",
        num_classes=num_classes,
        # A window in testing: all frames of any YouTube-VIS video but the longest. A clip in
        # training is as long as the data set makes it.
        num_frames=36,
        num_instances=100,
        embed_dims=256,
        mask_channels=256,
        layer_levels=[0, 1, 2] * 3,
        num_heads=8,
        ffn_channels=2048,
        dropout=0.0,
        act_cfg=dict(type="ReLU"),
        mask_padding=False,
        positional_encoding=dict(
            type="mmdet.SinePositionalEncoding3D", num_feats=128, normalize=True
        ),
        cls_branch=dict(type="mmttsrn.MLPBranch"),
        mask_branch=dict(type="mmttsrn.MLPBranch", hidden_channels=[256, 256]),
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
                type="mmttsrn.SequenceClassTerm",
                no_object_weight=0.1,
                loss=dict(type="mmdet.CrossEntropyLoss", loss_weight=2.0),
            ),
            # The authors add up the frames of a clip where this is a mean: 5 there, 2 x 5 here.
            loss_mask=dict(
                type="mmttsrn.SequencePixelTerm",
                num_points=12544,
                oversample_ratio=3.0,
                importance_ratio=0.75,
                loss=dict(type="mmdet.CrossEntropyLoss", use_sigmoid=True, loss_weight=10.0),
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
                    loss_weight=10.0,
                ),
            ),
        ),
    ),
    post_processor=dict(
        type="mmttsrn.InstanceQueryPostProcessor",
        null_frame_score=0.0,
        top_k=10,
        mask_quality=False,
    ),
    clip_linker=dict(type="mmttsrn.ClipLinker", min_iou=0.2, min_score=0.05),
    fill_clips=False,
)
