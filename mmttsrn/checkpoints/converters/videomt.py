"""VidEoMT and EoMT in the names of Transformers, and VidEoMT in those of its authors."""

import re
from collections.abc import Mapping, Sequence

from torch import Tensor

from mmttsrn.checkpoints.converters.rules import Rule, SourceFormat
from mmttsrn.errors import UserInputError

LAYER = "layers."
SHARED_RULES = (
    Rule(r"embeddings\.mask_token", "backbone", "a token of the pre-training"),
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
    """Rules of a checkpoint, whose last layers, those with a mask probability, are our head's.

    Raises:
        UserInputError: It does not tell how many these are.
    """
    if "attn_mask_probs" not in state:
        raise UserInputError("attn_mask_probs: not in the checkpoint, which has one for each block")
    count = len({name.split(".")[1] for name in state if name.startswith(LAYER)})
    first = count - len(state["attn_mask_probs"])
    return (
        *(Rule(rf"layers\.{i}\.(.+)", rf"backbone.layers.{i}.\1") for i in range(first)),
        *(
            Rule(rf"layers\.{i}\.(.+)", rf"head.blocks.layers.{i - first}.\1")
            for i in range(first, count)
        ),
        *SHARED_RULES,
    )


# Names of the authors, whose DINOv2 is that of timm and whose DINOv3 is that of Transformers, and
# what Transformers calls them. The first that matches counts.
VIT = r"backbone\.encoder\.backbone\."
AUTHORS_NAMES = (
    (VIT + r"blocks\.(\d+)\.attn\.([qkv])\.(.+)", r"layers.\1.attention.\2_proj.\3"),
    (VIT + r"blocks\.(\d+)\.attn\.proj\.(.+)", r"layers.\1.attention.out_proj.\2"),
    (VIT + r"blocks\.(\d+)\.ls(\d)\.gamma", r"layers.\1.layer_scale\2.lambda1"),
    (VIT + r"blocks\.(.+)", r"layers.\1"),
    (VIT + r"norm\.(.+)", r"layernorm.\1"),
    (VIT + r"cls_token", "embeddings.cls_token"),
    (VIT + r"reg_token", "embeddings.register_tokens"),
    (VIT + r"pos_embed", "embeddings.position_embeddings.weight"),
    (VIT + r"patch_embed\.proj\.(.+)", r"embeddings.patch_embeddings.projection.\1"),
    (VIT + r"patch_embed\.(.+)", r"embeddings.\1"),
    (r"backbone\.q\.(.+)", r"query.\1"),
    (r"backbone\.class_head\.(.+)", r"class_predictor.\1"),
    *((rf"backbone\.mask_head\.{2 * i}\.(.+)", rf"mask_head.fc{i + 1}.\1") for i in range(3)),
    (r"backbone\.upscale\.(\d+)\.norm\.(.+)", r"upscale_block.block.\1.layernorm2d.\2"),
    (r"backbone\.upscale\.(\d+)\.(.+)", r"upscale_block.block.\1.\2"),
    (r"backbone\.(query_updater\..+|attn_mask_probs)", r"\1"),
)


def in_names_of_transformers(source: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the weights of the authors; queries, keys and values (3*C, ...) are taken apart."""
    split: dict[str, Tensor] = {}
    for name, tensor in source.items():
        before, is_joined, after = name.partition(".attn.qkv.")
        if is_joined:
            parts = zip("qkv", tensor.chunk(3), strict=True)
            split |= {f"{before}.attn.{letter}.{after}": part for letter, part in parts}
        else:
            split[name] = tensor.squeeze(0) if name.endswith(".pos_embed") else tensor
    renamed = {}
    for name, tensor in split.items():
        matches = ((re.fullmatch(pattern, name), target) for pattern, target in AUTHORS_NAMES)
        renamed[next((m.expand(target) for m, target in matches if m), name)] = tensor
    return renamed


PARTS = ("backbone", "head")
VIDEOMT = SourceFormat(
    "a VidEoMT or EoMT of Transformers", r"upscale_block\.", videomt_rules, PARTS
)
VIDEOMT_AUTHORS = SourceFormat(
    "a VidEoMT of its authors",
    r"backbone\.query_updater\.",
    videomt_rules,
    PARTS,
    in_names_of_transformers,
)
