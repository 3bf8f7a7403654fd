# A small TT-SRN that learns on a CPU in minutes: the parts of the full model at reduced widths.
_base_ = ["./ttsrn_twins-svt-s.py"]

model = dict(
    backbone=dict(
        arch=dict(
            _delete_=True,
            embed_dims=(32, 64, 128, 192),
            num_heads=(1, 2, 4, 6),
            depths=(1, 1, 2, 2),
        ),
        drop_path_rate=0.0,
        init_cfg=None,  # no published weights have these widths
    ),
    neck=dict(
        embed_dims=96,
        num_layers=2,
        ffn_channels=256,
        dropout=0.0,
    ),
    head=dict(
        num_classes=4,
        num_frames=4,
        num_instances=6,
        query_init="factorised",
        embed_dims=96,
        num_layers=3,
        ffn_channels=256,
        dropout=0.0,
        cls_branch=dict(dropout=0.0),
        bbox_branch=dict(dropout=0.0),
    ),
    mask_head=dict(
        embed_dims=96,
        fpn_channels=[48, 24, 8],
        feat_channels=8,
        seq_channels=8,
        deform_backend="grid_sample",
    ),
)
