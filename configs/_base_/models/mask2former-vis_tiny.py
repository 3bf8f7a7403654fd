# mmdet's Mask2Former for videos at the widths of ttsrn-m2f_tiny.py: its backbone, width 96, clips
# of 2 frames in training, costs and losses of mmdet's
# mask2former_r50_8xb2-8e_youtubevis2019.py.
# Not named `model`, so that a config can take data and schedule from a TT-SRN config.
embed_dims = 96

mask2former = dict(
    type="mmttsrn.Mask2FormerVideo",
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
        arch=dict(
            embed_dims=(32, 64, 128, 192),
            num_heads=(1, 2, 4, 6),
            depths=(1, 1, 2, 1),
        ),
        drop_path_rate=0.0,
    ),
    track_head=dict(
        type="mmdet.Mask2FormerTrackHead",
        in_channels=[32, 64, 128, 192],
        feat_channels=embed_dims,
        out_channels=embed_dims,
        num_classes=4,
        num_queries=10,
        num_frames=2,
        num_transformer_feat_level=3,
        pixel_decoder=dict(
            type="mmdet.MSDeformAttnPixelDecoder",
            num_outs=3,
            norm_cfg=dict(type="GN", num_groups=32),
            act_cfg=dict(type="ReLU"),
            encoder=dict(
                num_layers=2,
                layer_cfg=dict(
                    self_attn_cfg=dict(
                        embed_dims=embed_dims,
                        num_heads=6,  # of 16 channels: MMCV's kernel likes powers of 2
                        num_levels=3,
                        num_points=4,
                        dropout=0.0,
                        batch_first=True,
                    ),
                    ffn_cfg=dict(
                        embed_dims=embed_dims,
                        feedforward_channels=256,
                        num_fcs=2,
                        ffn_drop=0.0,
                        act_cfg=dict(type="ReLU", inplace=True),
                    ),
                ),
            ),
            positional_encoding=dict(num_feats=embed_dims // 2, normalize=True),
        ),
        positional_encoding=dict(
            type="mmdet.SinePositionalEncoding3D", num_feats=embed_dims // 2, normalize=True
        ),
        transformer_decoder=dict(
            return_intermediate=True,
            num_layers=6,  # twice through the three levels
            layer_cfg=dict(
                self_attn_cfg=dict(embed_dims=embed_dims, num_heads=8, batch_first=True),
                cross_attn_cfg=dict(embed_dims=embed_dims, num_heads=8, batch_first=True),
                ffn_cfg=dict(
                    embed_dims=embed_dims,
                    feedforward_channels=256,
                    num_fcs=2,
                    ffn_drop=0.0,
                    act_cfg=dict(type="ReLU", inplace=True),
                ),
            ),
        ),
        loss_cls=dict(
            type="mmdet.CrossEntropyLoss",
            use_sigmoid=False,
            loss_weight=2.0,
            class_weight=[1.0] * 4 + [0.1],
        ),
        loss_mask=dict(type="mmdet.CrossEntropyLoss", use_sigmoid=True, loss_weight=5.0),
        loss_dice=dict(
            type="mmdet.DiceLoss",
            use_sigmoid=True,
            activate=True,
            naive_dice=True,
            eps=1.0,
            loss_weight=5.0,
        ),
        train_cfg=dict(
            num_points=2048,  # mask logits of a 96x160 frame are 960
            oversample_ratio=3.0,
            importance_sample_ratio=0.75,
            assigner=dict(
                type="mmdet.HungarianAssigner",
                match_costs=[
                    dict(type="mmdet.ClassificationCost", weight=2.0),
                    dict(type="mmdet.CrossEntropyLossCost", weight=5.0, use_sigmoid=True),
                    dict(type="mmdet.DiceCost", weight=5.0, pred_act=True, eps=1.0),
                ],
            ),
            sampler=dict(type="mmdet.MaskPseudoSampler"),
        ),
    ),
)
