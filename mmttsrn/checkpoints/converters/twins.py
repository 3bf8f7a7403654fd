"""Twins-SVT as the authors and timm publish it; both use the names of our backbone."""

from collections.abc import Collection, Sequence

from mmttsrn.checkpoints.converters.rules import Rule, SourceFormat

CLASSIFIER = "the ImageNet classifier"
CLASSIFIER_NORM = "the norm before the ImageNet classifier"

RULES = (
    Rule(r"((?:patch_embeds|pos_block|blocks|norm_list)\..+)", r"backbone.\1"),
    Rule(r"norm\..+", "backbone", CLASSIFIER_NORM),
    Rule(r"head\..+", "", CLASSIFIER),
)


def twins_rules(names: Collection[str]) -> Sequence[Rule]:
    """Rules of a Twins-SVT checkpoint."""
    return RULES


TWINS = SourceFormat("a Twins-SVT of its authors or of timm", r"blocks\.\d+\.\d+\.", twins_rules)
