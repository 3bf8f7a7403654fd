"""Foreign checkpoint formats, one module each: their names and what they are called here."""

from mmttsrn.checkpoints.converters.detr import DETR
from mmttsrn.checkpoints.converters.efficientnet_lite import EFFICIENTNET_LITE
from mmttsrn.checkpoints.converters.mask2former import MASK2FORMER_VIS, MASK2FORMER_VIS_D2
from mmttsrn.checkpoints.converters.mask2former_hf import MASK2FORMER_HF
from mmttsrn.checkpoints.converters.rules import UNKNOWN, Rule, SourceFormat, find_rule
from mmttsrn.checkpoints.converters.twins import MMPRETRAIN_SVT, TWINS
from mmttsrn.checkpoints.converters.videomt import VIDEOMT, VIDEOMT_AUTHORS
from mmttsrn.checkpoints.converters.vistr import VISTR

# By the value of ``--from``.
SOURCE_FORMATS: dict[str, SourceFormat] = {
    "twins": TWINS,
    "timm-twins": TWINS,
    "mmpretrain-svt": MMPRETRAIN_SVT,
    "efficientnet-lite": EFFICIENTNET_LITE,
    "detr": DETR,
    "vistr": VISTR,
    "vistr-r50": VISTR,
    "vistr-r101": VISTR,
    "mask2former-vis": MASK2FORMER_VIS,
    "mask2former-vis-d2": MASK2FORMER_VIS_D2,
    "mask2former-hf": MASK2FORMER_HF,
    "videomt": VIDEOMT,
    "videomt-authors": VIDEOMT_AUTHORS,
}

__all__ = ["SOURCE_FORMATS", "UNKNOWN", "Rule", "SourceFormat", "find_rule"]
