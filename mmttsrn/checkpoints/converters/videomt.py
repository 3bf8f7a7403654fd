"""VidEoMT, and EoMT for images, in the names of Transformers."""

from collections.abc import Mapping, Sequence

from torch import Tensor

from mmttsrn.checkpoints.converters.rules import Rule, SourceFormat

LAYER = "layers."
SHARED_RULES = (
    Rule(r"(embeddings\..+)", r"backbone.\1"),
    Rule(r"(layernorm\..+)", r"head.blocks.\1"),
    Rule(r"query\.(.+)", r"head.query_feat.\1"),
    Rule(r"(query_updater\..+)", r"head.\1"),
    Rule(r"attn_mask_probs", "head", "the state of an annealing that a hook sets"),
    Rule(r"upscale_block\.block\.(\d+)\.conv1\.(.+)", r"head.upscale.\1.up.\2"),
    Rule(r"upscale_block\.block\.(\d+)\.conv2\.(.+)", r"head.upscale.\1.conv.\2"),
    Rule(r"upscale_block\.block\.(\d+)\.layernorm2d\.(.+)", r"head.upscale.\1.norm.\2"),
    *(Rule(rf"mask_head\.fc{i + 1}\.(.+)", rf"head.mask_branch.layers.{i}.\1") for i in range(3)),
    Rule(r"class_predictor\.(.+)", r"head.cls_branch.layers.0.\1"),
    Rule(r"criterion\..+", "", "the class weights of its loss"),
)


def videomt_rules(state: Mapping[str, Tensor]) -> Sequence[Rule]:
    """Rules of a checkpoint, whose last layers, those with a mask probability, are our head's."""
    count = len({name.split(".")[1] for name in state if name.startswith(LAYER)})
    first = count - len(state.get("attn_mask_probs", ()))
    return (
        *(Rule(rf"layers\.{i}\.(.+)", rf"backbone.layers.{i}.\1") for i in range(first)),
        *(
            Rule(rf"layers\.{i}\.(.+)", rf"head.blocks.layers.{i - first}.\1")
            for i in range(first, count)
        ),
        *SHARED_RULES,
    )


VIDEOMT = SourceFormat(
    "a VidEoMT or EoMT of Transformers", r"upscale_block\.", videomt_rules, ("backbone", "head")
)
