"""Twins-SVT: a classifier of its authors, timm or MMPretrain, or MMPretrain's backbone alone."""

from collections.abc import Collection, Sequence

from mmttsrn.checkpoints.converters.rules import Rule, SourceFormat

CLASSIFIER = Rule(r"head\..+", "", "the ImageNet classifier")
CLASSIFIER_NORM = "the norm before the ImageNet classifier"

# Authors and timm use the names of our backbone.
RULES = (
    Rule(r"((?:patch_embeds|pos_block|blocks|norm_list)\..+)", r"backbone.\1"),
    Rule(r"norm\..+", "backbone", CLASSIFIER_NORM),
    CLASSIFIER,
)
TWINS = SourceFormat(
    "a Twins-SVT of its authors or of timm",
    r"blocks\.\d+\.\d+\.",
    lambda names: RULES,
    ("backbone",),
)

BACKBONE = r"(?:backbone\.)?"
BLOCK = BACKBONE + r"stages\.(\d+)\.(\d+)\."
NORMS = BACKBONE + r"norm_after_stage(\d+)\.(.+)"
MMPRETRAIN_RULES = (
    Rule(BACKBONE + r"patch_embeds\.(\d+)\.projection\.(.+)", r"backbone.patch_embeds.\1.proj.\2"),
    Rule(BACKBONE + r"patch_embeds\.(\d+)\.norm\.(.+)", r"backbone.patch_embeds.\1.norm.\2"),
    Rule(BACKBONE + r"position_encodings\.(\d+)\.proj\.(.+)", r"backbone.pos_block.\1.proj.0.\2"),
    Rule(BLOCK + r"ffn\.layers\.0\.0\.(.+)", r"backbone.blocks.\1.\2.mlp.fc1.\3"),
    Rule(BLOCK + r"ffn\.layers\.1\.(.+)", r"backbone.blocks.\1.\2.mlp.fc2.\3"),
    Rule(BLOCK + r"((?:norm1|norm2|attn)\..+)", r"backbone.blocks.\1.\2.\3"),
    CLASSIFIER,
)


def mmpretrain_svt_rules(names: Collection[str]) -> Sequence[Rule]:
    """Rules of an SVT checkpoint.

    A classifier has a norm after the last stage only; a model for dense prediction has one after
    every stage, which are those of our ``output_norm``.
    """
    if any("norm_after_stage0." in name for name in names):
        return (*MMPRETRAIN_RULES, Rule(NORMS, r"backbone.norm_list.\1.\2"))
    return (*MMPRETRAIN_RULES, Rule(NORMS, "backbone", CLASSIFIER_NORM))


MMPRETRAIN_SVT = SourceFormat(
    "a Twins-SVT of MMPretrain", BLOCK, mmpretrain_svt_rules, ("backbone",)
)
