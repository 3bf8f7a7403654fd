# VisTR (CVPR 2021) with ResNet-50: TT-SRN with a ResNet, ReLU and linear branches.
_base_ = ["./ttsrn_twins-svt-s.py"]

relu = dict(type="ReLU")
model = dict(
    # The frames of a clip have one size, and a ResNet takes any: nothing is padded, as in VisTR.
    data_preprocessor=dict(pad_size_divisor=1),
    backbone=dict(
        _delete_=True,
        type="mmdet.ResNet",
        depth=50,
        out_indices=(0, 1, 2, 3),
        # Stem and first stage are fixed, and so are all batch norms.
        frozen_stages=1,
        norm_cfg=dict(type="BN", requires_grad=False),
        norm_eval=True,
        style="pytorch",
        init_cfg=dict(
            type="mmttsrn.PretrainedWeights",
            url="https://download.pytorch.org/models/resnet50-0676ba61.pth",
            sha256="0676ba61",
        ),
    ),
    neck=dict(act_cfg=relu),
    head=dict(
        act_cfg=relu,
        cls_branch=dict(_delete_=True, type="mmttsrn.MLPBranch"),
        bbox_branch=dict(_delete_=True, type="mmttsrn.MLPBranch", hidden_channels=[384, 384]),
    ),
    mask_head=dict(act_cfg=relu),
)
