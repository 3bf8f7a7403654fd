"""VisTR, the baseline: the same parts as ours under its authors' names."""

from collections.abc import Collection, Sequence

from torch import Tensor

from mmttsrn.checkpoints.converters.detr import mask_head_rules, transformer_rules
from mmttsrn.checkpoints.converters.rules import Rule, SourceFormat

MODEL = r"vistr\."


def without_unused_class(rows: Tensor) -> Tensor:
    """Class rows 0, 1, ..., K, no-object, of which row 0 is unused, to ours: K and no-object.

    VisTR takes the category ids of the data set, which count from 1, as its classes.

    Args:
        rows: Weight (K+2, C) or bias (K+2).

    Returns:
        Weight (K+1, C) or bias (K+1).
    """
    return rows[1:]


RULES = (
    Rule(
        MODEL + r"class_embed\.(.+)",
        r"head.cls_branch.layers.0.\1",
        select=without_unused_class,
    ),
    Rule(MODEL + r"query_embed\.(.+)", r"head.query_embed.\1"),
    *transformer_rules(MODEL),
    *mask_head_rules(),
    Rule(r"mask_head\.conv_offset\.(.+)", r"mask_head.fpn.deform_conv.conv_offset.\1"),
    Rule(r"mask_head\.dcn\.(.+)", r"mask_head.fpn.deform_conv.dcn.\1"),
    Rule(r"insmask_head\.(.+)", r"mask_head.sequence_convs.\1"),
)
RESNET_BLOCK = MODEL + r"backbone\.0\.body\.layer\d\.\d+\.conv1\.weight"


def vistr_rules(names: Collection[str]) -> Sequence[Rule]:
    """Rules of a VisTR checkpoint."""
    return RULES


VISTR = SourceFormat("a VisTR", MODEL, vistr_rules)
VISTR_R50 = SourceFormat("a VisTR with ResNet-50", MODEL, vistr_rules, (RESNET_BLOCK, 16))
VISTR_R101 = SourceFormat("a VisTR with ResNet-101", MODEL, vistr_rules, (RESNET_BLOCK, 33))
