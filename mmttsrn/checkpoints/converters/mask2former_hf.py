"""Mask2Former with a Swin backbone under the names of Hugging Face's Transformers.

The names are those of the files that ``save_pretrained`` writes, in 2023 and today, and those that
the modules of Transformers 5 have in memory.
"""

import re
from collections.abc import Mapping
from math import isqrt

import torch
from torch import Tensor

from mmttsrn.checkpoints.converters.mask2former import OUR_LAYER, PARTS, PIXELS, unfold_order
from mmttsrn.checkpoints.converters.rules import Rule, SourceFormat

QUERY = re.compile(r"(.+\.)(query|q_proj)(\.(?:weight|bias))")
KEY_AND_VALUE = {"query": ("key", "value"), "q_proj": ("k_proj", "v_proj")}
BIAS_TABLE = "relative_position_bias_table"


def prepare(source: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Join queries, keys and values, which are one layer here; add the indices of Swin's windows.

    The weights of queries (C, C), keys and values become ``qkv`` (3*C, C). The indices are a
    function of the size of a window, and not in files of today.
    """
    prepared = dict(source)
    for name, tensor in source.items():
        match = QUERY.fullmatch(name)
        if match is not None:
            before, query, after = match.groups()
            others = [f"{before}{other}{after}" for other in KEY_AND_VALUE[query]]
            if all(other in source for other in others):
                joined = torch.cat([prepared.pop(key) for key in (name, *others)])
                prepared[f"{before}qkv{after}"] = joined
        elif name.endswith(BIAS_TABLE):
            index = name.replace(BIAS_TABLE, "relative_position_index")
            prepared.setdefault(index, window_index((isqrt(len(tensor)) + 1) // 2))
    return prepared


def window_index(side: int) -> Tensor:
    """Rows of the table of position biases for the pairs of cells of a window, (side^2, side^2)."""
    cells = torch.cartesian_prod(torch.arange(side), torch.arange(side))  # row, column
    rows, columns = (cells[:, None] - cells + side - 1).unbind(-1)
    return rows * (2 * side - 1) + columns


ENCODER = r"pixel_level_module\.encoder\.(?:swin\.)?"
STAGE = ENCODER + r"encoder\.layers\.(\d)\."
BLOCK = STAGE + r"blocks\.(\d+)\."
OUR_BLOCK = r"backbone.stages.\1.blocks.\2."
SWIN = (
    Rule(ENCODER + r"embeddings\.patch_embeddings\.(.+)", r"backbone.patch_embed.\1"),
    Rule(ENCODER + r"embeddings\.(norm\..+)", r"backbone.patch_embed.\1"),
    Rule(BLOCK + r"attention\.(?:self\.)?(qkv\..+)", OUR_BLOCK + r"attn.w_msa.\3"),
    Rule(
        BLOCK + r"attention\.(?:self|relative_position_bias)\.(relative_position_.+)",
        OUR_BLOCK + r"attn.w_msa.\3",
    ),
    Rule(BLOCK + r"attention\.(?:output\.dense|o_proj)\.(.+)", OUR_BLOCK + r"attn.w_msa.proj.\3"),
    Rule(BLOCK + r"layernorm_before\.(.+)", OUR_BLOCK + r"norm1.\3"),
    Rule(BLOCK + r"layernorm_after\.(.+)", OUR_BLOCK + r"norm2.\3"),
    Rule(BLOCK + r"(?:intermediate\.dense|mlp\.fc1)\.(.+)", OUR_BLOCK + r"ffn.layers.0.0.\3"),
    Rule(BLOCK + r"(?:output\.dense|mlp\.fc2)\.(.+)", OUR_BLOCK + r"ffn.layers.1.\3"),
    # The four pixels are in the order of Swin's authors.
    Rule(STAGE + r"(downsample\..+)", r"backbone.stages.\1.\2", select=unfold_order),
    *(
        Rule(ENCODER + rf"hidden_states_norms\.stage{i + 1}\.(.+)", rf"backbone.norm{i}.\1")
        for i in range(4)
    ),
    Rule(ENCODER + r"layernorm\..+", "", "a norm that nothing reads"),
)

PIXEL_DECODER = r"pixel_level_module\.decoder\."
PIXEL_LAYER = PIXEL_DECODER + r"encoder\.layers\.(\d+)\."
PIXEL_RULES = (
    Rule(PIXEL_DECODER + r"input_projections\.(\d)\.0\.(.+)", PIXELS + r"input_convs.\1.conv.\2"),
    Rule(PIXEL_DECODER + r"input_projections\.(\d)\.1\.(.+)", PIXELS + r"input_convs.\1.gn.\2"),
    Rule(PIXEL_DECODER + "level_embed", PIXELS + "level_encoding.weight"),
    Rule(PIXEL_LAYER + r"(self_attn\..+)", OUR_LAYER + r"\2"),
    Rule(PIXEL_LAYER + r"fc1\.(.+)", OUR_LAYER + r"ffn.layers.0.0.\2"),
    Rule(PIXEL_LAYER + r"fc2\.(.+)", OUR_LAYER + r"ffn.layers.1.\2"),
    Rule(PIXEL_LAYER + r"self_attn_layer_norm\.(.+)", OUR_LAYER + r"norms.0.\2"),
    Rule(PIXEL_LAYER + r"final_layer_norm\.(.+)", OUR_LAYER + r"norms.1.\2"),
    Rule(PIXEL_DECODER + r"adapter_1\.0\.(.+)", PIXELS + r"lateral_convs.0.conv.\1"),
    Rule(PIXEL_DECODER + r"adapter_1\.1\.(.+)", PIXELS + r"lateral_convs.0.gn.\1"),
    Rule(PIXEL_DECODER + r"layer_1\.0\.(.+)", PIXELS + r"output_convs.0.conv.\1"),
    Rule(PIXEL_DECODER + r"layer_1\.1\.(.+)", PIXELS + r"output_convs.0.gn.\1"),
    Rule(PIXEL_DECODER + r"mask_projection\.(.+)", PIXELS + r"mask_feature.\1"),
)

HEAD = r"transformer_module\."
LAYER = HEAD + r"decoder\.layers\.(\d+)\."
OUR_HEAD_LAYER = r"head.layers.\1."
HEAD_RULES = (
    Rule(HEAD + r"queries_features\.(.+)", r"head.query_feat.\1"),
    Rule(HEAD + r"queries_embedder\.(.+)", r"head.query_embed.\1"),
    Rule(HEAD + r"(level_embed\..+)", r"head.\1"),
    Rule(LAYER + r"cross_attn\.(.+)", OUR_HEAD_LAYER + r"multihead_attn.\2"),
    Rule(LAYER + r"self_attn\.qkv\.(.+)", OUR_HEAD_LAYER + r"self_attn.in_proj_\2"),
    Rule(LAYER + r"(self_attn\.out_proj\..+)", OUR_HEAD_LAYER + r"\2"),
    Rule(LAYER + r"cross_attn_layer_norm\.(.+)", OUR_HEAD_LAYER + r"norm1.\2"),
    Rule(LAYER + r"self_attn_layer_norm\.(.+)", OUR_HEAD_LAYER + r"norm2.\2"),
    Rule(LAYER + r"fc1\.(.+)", OUR_HEAD_LAYER + r"linear1.\2"),
    Rule(LAYER + r"fc2\.(.+)", OUR_HEAD_LAYER + r"linear2.\2"),
    Rule(LAYER + r"final_layer_norm\.(.+)", OUR_HEAD_LAYER + r"norm3.\2"),
    Rule(HEAD + r"decoder\.layernorm\.(.+)", r"head.norm.\1"),
    Rule(
        HEAD + r"decoder\.mask_predictor\.mask_embedder\.(\d)\.0\.(.+)",
        r"head.mask_branch.layers.\1.\2",
    ),
    Rule(r"class_predictor\.(.+)", r"head.cls_branch.layers.0.\1"),
    Rule(r"criterion\..+", "", "the class weights of its loss"),
)

RULES = (*SWIN, *PIXEL_RULES, *HEAD_RULES)
MASK2FORMER_HF = SourceFormat(
    "a Mask2Former of Transformers",
    HEAD + r"queries_features\.",
    lambda names: RULES,
    PARTS,
    prepare,
)
