"""A TT-SRN that runs in milliseconds: T=3 frames, Q=4 instances, K=3 classes."""

from pathlib import Path
from typing import Any

from mmengine.config import Config

CONFIGS = Path(__file__).parents[1] / "configs"
# The parts of the paper's model, with its numbers.
PAPER: dict[str, Any] = Config.fromfile(
    CONFIGS / "_base_/models/ttsrn_twins-svt-s.py"
).model.to_dict()

WIDTHS = (16, 32, 64, 128)
EMBED_DIMS = 48
TRANSFORMER = dict(embed_dims=EMBED_DIMS, num_layers=2, num_heads=4, ffn_channels=64)

TINY: dict[str, Any] = dict(
    type="mmttsrn.TTSRN",
    data_preprocessor=PAPER["data_preprocessor"],
    backbone=dict(
        type="mmttsrn.TwinsSVT",
        arch=dict(embed_dims=WIDTHS, num_heads=(1, 2, 4, 8), depths=(1, 1, 2, 1)),
    ),
    neck=dict(
        type="mmttsrn.SpatioTemporalEncoder",
        positional_encoding=dict(type="mmttsrn.SinePositionEncoding3D"),
        **TRANSFORMER,
    ),
    head=dict(
        type="mmttsrn.InstanceSequenceHead",
        num_classes=3,
        num_frames=3,
        num_instances=4,
        cls_branch=PAPER["head"]["cls_branch"],
        bbox_branch=PAPER["head"]["bbox_branch"],
        **TRANSFORMER,
    ),
    mask_head=dict(
        type="mmttsrn.SequenceMaskHead",
        embed_dims=EMBED_DIMS,
        fpn_channels=(32, 24, 16),
        feat_channels=8,
        seq_channels=8,
        deform_backend="grid_sample",
    ),
    criterion=PAPER["criterion"],
    post_processor=PAPER["post_processor"],
    clip_linker=PAPER["clip_linker"],
)


# Changes for a model of boxes only.
BOX_ONLY = dict(
    mask_head=None,
    criterion=dict(terms=dict(PAPER["criterion"]["terms"], loss_mask=None, loss_dice=None)),
)


def tiny_config(**changes: Any) -> dict[str, Any]:
    """The tiny config; a dict without ``type`` updates its part, another value replaces it."""
    config = {key: dict(value) if isinstance(value, dict) else value for key, value in TINY.items()}
    for part, change in changes.items():
        if isinstance(change, dict) and "type" not in change:
            change = {**config[part], **change}
        config[part] = change
    return config
