"""Twins-SVT of MMPretrain: a classifier, or its backbone alone."""

from collections.abc import Collection, Sequence

from mmttsrn.checkpoints.converters.rules import Rule, SourceFormat
from mmttsrn.checkpoints.converters.twins import CLASSIFIER, CLASSIFIER_NORM

BACKBONE = r"(?:backbone\.)?"
BLOCK = BACKBONE + r"stages\.(\d+)\.(\d+)\."

RULES = (
    Rule(BACKBONE + r"patch_embeds\.(\d+)\.projection\.(.+)", r"backbone.patch_embeds.\1.proj.\2"),
    Rule(BACKBONE + r"patch_embeds\.(\d+)\.norm\.(.+)", r"backbone.patch_embeds.\1.norm.\2"),
    Rule(BACKBONE + r"position_encodings\.(\d+)\.proj\.(.+)", r"backbone.pos_block.\1.proj.0.\2"),
    Rule(BLOCK + r"ffn\.layers\.0\.0\.(.+)", r"backbone.blocks.\1.\2.mlp.fc1.\3"),
    Rule(BLOCK + r"ffn\.layers\.1\.(.+)", r"backbone.blocks.\1.\2.mlp.fc2.\3"),
    Rule(BLOCK + r"((?:norm1|norm2|attn)\..+)", r"backbone.blocks.\1.\2.\3"),
    Rule(r"head\..+", "", CLASSIFIER),
)
NORMS = BACKBONE + r"norm_after_stage(\d+)\.(.+)"


def mmpretrain_svt_rules(names: Collection[str]) -> Sequence[Rule]:
    """Rules of an SVT checkpoint.

    A classifier has a norm after the last stage only; a model for dense prediction has one after
    every stage, which are those of our ``output_norm``.
    """
    dense = any("norm_after_stage0." in name for name in names)
    norms = (
        Rule(NORMS, r"backbone.norm_list.\1.\2")
        if dense
        else Rule(NORMS, "backbone", CLASSIFIER_NORM)
    )
    return (*RULES, norms)


MMPRETRAIN_SVT = SourceFormat(
    "a Twins-SVT of MMPretrain", BACKBONE + r"stages\.\d+\.\d+\.", mmpretrain_svt_rules
)
