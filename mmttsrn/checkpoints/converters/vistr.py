"""VisTR, the baseline: the same parts as ours under its authors' names."""

from mmttsrn.checkpoints.converters.detr import shared_rules
from mmttsrn.checkpoints.converters.rules import Rule, SourceFormat

MODEL = r"vistr\."
RULES = (
    # VisTR takes the category ids of the data set, which count from 1, as its classes: of its rows
    # 0, 1, ..., K, no-object, (K+2, C) or (K+2), the first is unused.
    Rule(
        MODEL + r"class_embed\.(.+)",
        r"head.cls_branch.layers.0.\1",
        select=lambda rows: rows[1:],
    ),
    Rule(MODEL + r"query_embed\.(.+)", r"head.query_embed.\1"),
    *shared_rules(MODEL),
    Rule(r"mask_head\.conv_offset\.(.+)", r"mask_head.fpn.deform_conv.conv_offset.\1"),
    Rule(r"mask_head\.dcn\.(.+)", r"mask_head.fpn.deform_conv.dcn.\1"),
    Rule(r"insmask_head\.(.+)", r"mask_head.sequence_convs.\1"),
)
VISTR = SourceFormat(
    "a VisTR", MODEL, lambda names: RULES, ("backbone", "neck", "head", "mask_head")
)
