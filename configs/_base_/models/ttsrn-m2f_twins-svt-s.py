# TT-SRN with masked-attention instance queries: Twins-SVT-S and the spatio-temporal encoder of the
# paper, then pixel decoder, decoder and losses of Mask2Former with the sine branches of TT-SRN.
_base_ = ["./mask2former_r50.py"]

model = dict(
    backbone=dict(
        _delete_=True,
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
        num_frames=8,
        act_cfg=dict(type="GELU"),
        pool_features=True,
        mask_padding=True,
        cls_branch=dict(
            _delete_=True,
            type="mmttsrn.SirenBranch",
            sine_channels=[256],
            linear_channels=[128],
            dropout=0.0,
        ),
        mask_branch=dict(
            _delete_=True,
            type="mmttsrn.SirenBranch",
            sine_channels=[256],
            linear_channels=[256],
            dropout=0.0,
        ),
    ),
    criterion=dict(
        terms=dict(
            # Means over the frames and cells of a clip, whatever its length.
            loss_mask=dict(loss=dict(loss_weight=5.0)),
            loss_dice=dict(loss=dict(loss_weight=5.0)),
        )
    ),
    post_processor=dict(null_frame_score=0.01, mask_quality=True),
    fill_clips=True,
)
