# A small TT-SRN whose queries are shared by the frames and attend inside their own masks: learns
# from little data in minutes on a CPU. Twins-SVT and the spatio-temporal encoder are those of the
# paper's tiny model; pixel decoder, head and losses are those of Mask2Former, with sine branches.
_base_ = ["./ttsrn_tiny.py"]

model = dict(
    backbone=dict(arch=dict(depths=(1, 1, 2, 1))),
    neck=dict(num_layers=1),
    pixel_decoder=dict(
        type="mmttsrn.FPNPixelDecoder",
        channels=[96, 96, 64],
        num_blocks=[1, 1, 1],
        out_channels=64,
    ),
    head=dict(
        _delete_=True,
        type="mmttsrn.MaskedAttentionHead",
        num_classes=4,
        num_frames=4,
        num_instances=10,
        embed_dims=96,
        mask_channels=64,
        layer_levels=[1, 2, 1],
        ffn_channels=256,
        act_cfg=dict(type="GELU"),
        pool_features=True,
        pixel_classes=True,
        positional_encoding=dict(
            type="mmdet.SinePositionalEncoding3D", num_feats=48, normalize=True
        ),
        cls_branch=dict(
            type="mmttsrn.SirenBranch", sine_channels=[128], linear_channels=[64], dropout=0.0
        ),
        mask_branch=dict(
            type="mmttsrn.SirenBranch", sine_channels=[128], linear_channels=[128], dropout=0.0
        ),
    ),
    mask_head=None,
    criterion=dict(
        _delete_=True,
        type="mmttsrn.SequenceSetLoss",
        matcher=dict(
            type="mmttsrn.InstanceSequenceMatcher",
            costs=[
                dict(type="mmttsrn.SequenceClassCost", weight=0.5, absent_as_first=False),
                dict(type="mmttsrn.SequenceMaskCost", weight=5.0),
                dict(type="mmttsrn.SequenceDiceCost", weight=5.0),
            ],
        ),
        terms=dict(
            loss_cls=dict(
                type="mmttsrn.SequenceClassTerm",
                no_object_weight=0.3,
                loss=dict(type="mmdet.CrossEntropyLoss", loss_weight=3.0),
            ),
            loss_mask=dict(
                type="mmttsrn.SequencePixelTerm",
                loss=dict(type="mmdet.CrossEntropyLoss", use_sigmoid=True, loss_weight=5.0),
            ),
            loss_dice=dict(
                type="mmttsrn.SequenceRegionTerm",
                loss=dict(
                    type="mmdet.DiceLoss",
                    use_sigmoid=True,
                    naive_dice=True,
                    eps=1.0,
                    loss_weight=5.0,
                ),
            ),
            # With a weight of 2 the gradients of the masks, ten times as large, drown that of the
            # classes, which stay unlearnt for thousands of iterations.
            loss_pixel=dict(
                type="mmttsrn.PixelClassTerm",
                background_weight=0.1,
                loss=dict(type="mmdet.CrossEntropyLoss", loss_weight=20.0),
            ),
        ),
    ),
    post_processor=dict(_delete_=True, type="mmttsrn.InstanceQueryPostProcessor", nms_iou=0.3),
)
