"""Foreign checkpoint formats, one module each: their names and what they are called here."""

from .detr import DETR
from .mmpretrain_svt import MMPRETRAIN_SVT
from .rules import Rule, SourceFormat, find_rule
from .twins import TWINS
from .vistr import VISTR, VISTR_R50, VISTR_R101

# By the value of ``--from``.
SOURCE_FORMATS: dict[str, SourceFormat] = {
    "twins": TWINS,
    "timm-twins": TWINS,
    "mmpretrain-svt": MMPRETRAIN_SVT,
    "detr": DETR,
    "vistr": VISTR,
    "vistr-r50": VISTR_R50,
    "vistr-r101": VISTR_R101,
}

__all__ = ["SOURCE_FORMATS", "Rule", "SourceFormat", "find_rule"]
