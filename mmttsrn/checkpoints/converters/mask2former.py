"""Mask2Former for video: of MMDetection, and of its authors, who use Detectron2."""

from torch import Tensor

from mmttsrn.checkpoints.converters.rules import Rule, SourceFormat

# Ours: MMDetection's pixel decoder inside a wrapper, and a decoder with the names of PyTorch.
PIXELS = "pixel_decoder.decoder."
PARTS = ("backbone", "pixel_decoder", "head")

# Models for images on COCO, where a model for video starts from, have a panoptic_head. Versions
# before 3.0 number attentions and FFNs in the order of their use.
MMDET_HEAD = r"(?:track|panoptic)_head\."
MMDET_LAYER = MMDET_HEAD + r"transformer_decoder\.layers\.(\d+)\."
MMDET_FFN = r"(?:ffn|ffns\.0)\.layers\."
MMDET_PIXEL_LAYER = MMDET_HEAD + r"pixel_decoder\.encoder\.layers\.(\d+)\."
OUR_LAYER = PIXELS + r"encoder.layers.\1."
MMDET_RULES = (
    Rule(r"(backbone\..+)", r"\1"),
    Rule(MMDET_PIXEL_LAYER + r"attentions\.0\.(.+)", OUR_LAYER + r"self_attn.\2"),
    Rule(MMDET_PIXEL_LAYER + MMDET_FFN + r"(.+)", OUR_LAYER + r"ffn.layers.\2"),
    Rule(MMDET_HEAD + r"pixel_decoder\.(.+)", rf"{PIXELS}\1"),
    Rule(
        MMDET_LAYER + r"(?:cross_attn|attentions\.0)\.attn\.(.+)",
        r"head.layers.\1.multihead_attn.\2",
    ),
    Rule(MMDET_LAYER + r"(?:self_attn|attentions\.1)\.attn\.(.+)", r"head.layers.\1.self_attn.\2"),
    Rule(MMDET_LAYER + MMDET_FFN + r"0\.0\.(.+)", r"head.layers.\1.linear1.\2"),
    Rule(MMDET_LAYER + MMDET_FFN + r"1\.(.+)", r"head.layers.\1.linear2.\2"),
    *(
        Rule(MMDET_LAYER + rf"norms\.{i}\.(.+)", rf"head.layers.\1.norm{i + 1}.\2")
        for i in (0, 1, 2)
    ),
    Rule(MMDET_HEAD + r"transformer_decoder\.post_norm\.(.+)", r"head.norm.\1"),
    Rule(MMDET_HEAD + r"(query_feat|query_embed|level_embed)\.(.+)", r"head.\1.\2"),
    Rule(MMDET_HEAD + r"cls_embed\.(.+)", r"head.cls_branch.layers.0.\1"),
    *(
        Rule(MMDET_HEAD + rf"mask_embed\.{2 * i}\.(.+)", rf"head.mask_branch.layers.{i}.\1")
        for i in range(3)
    ),
)


def unfold_order(channels: Tensor) -> Tensor:
    """Reorder the inputs of a patch merging: those of four pixels, (4*C,) or (C_out, 4*C).

    Its authors concatenate the channels of the four pixels, column by column; MMDetection has the
    four pixels of a channel together, row by row.
    """
    pixels = channels.unflatten(-1, (2, 2, -1))  # ..., column, row, C
    return pixels.movedim(-1, -3).transpose(-1, -2).flatten(-3)


def resnet_stage(number: int) -> tuple[Rule, ...]:
    """Rules of a stage of a ResNet: its ``layer1`` to ``layer4`` are ``res2`` to ``res5`` there."""
    block, ours = rf"backbone\.res{number + 1}\.(\d+)\.", rf"backbone.layer{number}.\1."
    return (
        Rule(block + r"shortcut\.norm\.(.+)", ours + r"downsample.1.\2"),
        Rule(block + r"shortcut\.(.+)", ours + r"downsample.0.\2"),
        Rule(block + r"conv(\d)\.norm\.(.+)", ours + r"bn\2.\3"),
        Rule(block + r"(conv\d)\.(.+)", ours + r"\2.\3"),
    )


SWIN = r"backbone\.layers\.(\d)\."
SWIN_BLOCK = SWIN + r"blocks\.(\d+)\."
OUR_SWIN_BLOCK = r"backbone.stages.\1.blocks.\2."
D2_BACKBONE = (
    Rule(r"backbone\.stem\.conv1\.norm\.(.+)", r"backbone.bn1.\1"),
    Rule(r"backbone\.stem\.conv1\.(.+)", r"backbone.conv1.\1"),
    *(rule for stage in range(1, 5) for rule in resnet_stage(stage)),
    Rule(r"backbone\.patch_embed\.proj\.(.+)", r"backbone.patch_embed.projection.\1"),
    Rule(r"backbone\.((?:patch_embed\.norm|norm\d)\..+)", r"backbone.\1"),
    Rule(SWIN_BLOCK + r"attn\.(.+)", OUR_SWIN_BLOCK + r"attn.w_msa.\3"),
    Rule(SWIN_BLOCK + r"mlp\.fc1\.(.+)", OUR_SWIN_BLOCK + r"ffn.layers.0.0.\3"),
    Rule(SWIN_BLOCK + r"mlp\.fc2\.(.+)", OUR_SWIN_BLOCK + r"ffn.layers.1.\3"),
    Rule(SWIN_BLOCK + r"(norm\d\..+)", OUR_SWIN_BLOCK + r"\3"),
    Rule(SWIN + r"(downsample\..+)", r"backbone.stages.\1.\2", select=unfold_order),
)

# The first version of the head had the parts of its pixel decoder beside its predictor.
D2_PIXELS = r"sem_seg_head\.(?:pixel_decoder\.)?"
D2_LAYER = D2_PIXELS + r"transformer\.encoder\.layers\.(\d+)\."
# Input projections count from the coarsest map here and there.
D2_PIXEL_DECODER = (
    Rule(D2_PIXELS + r"input_proj\.(\d)\.0\.(.+)", PIXELS + r"input_convs.\1.conv.\2"),
    Rule(D2_PIXELS + r"input_proj\.(\d)\.1\.(.+)", PIXELS + r"input_convs.\1.gn.\2"),
    Rule(D2_PIXELS + r"transformer\.level_embed", PIXELS + "level_encoding.weight"),
    Rule(D2_LAYER + r"(self_attn\..+)", OUR_LAYER + r"\2"),
    Rule(D2_LAYER + r"linear1\.(.+)", OUR_LAYER + r"ffn.layers.0.0.\2"),
    Rule(D2_LAYER + r"linear2\.(.+)", OUR_LAYER + r"ffn.layers.1.\2"),
    Rule(D2_LAYER + r"norm1\.(.+)", OUR_LAYER + r"norms.0.\2"),
    Rule(D2_LAYER + r"norm2\.(.+)", OUR_LAYER + r"norms.1.\2"),
    Rule(D2_PIXELS + r"adapter_1\.norm\.(.+)", PIXELS + r"lateral_convs.0.gn.\1"),
    Rule(D2_PIXELS + r"adapter_1\.(.+)", PIXELS + r"lateral_convs.0.conv.\1"),
    Rule(D2_PIXELS + r"layer_1\.norm\.(.+)", PIXELS + r"output_convs.0.gn.\1"),
    Rule(D2_PIXELS + r"layer_1\.(.+)", PIXELS + r"output_convs.0.conv.\1"),
    Rule(D2_PIXELS + r"mask_features\.(.+)", PIXELS + r"mask_feature.\1"),
)

D2_HEAD = r"sem_seg_head\.predictor\."
D2_ATTENTION = r"_attention_layers\.(\d+)\."
D2_DECODER = (
    Rule(
        D2_HEAD + "transformer_cross" + D2_ATTENTION + r"(multihead_attn\..+)", r"head.layers.\1.\2"
    ),
    Rule(D2_HEAD + "transformer_cross" + D2_ATTENTION + r"norm\.(.+)", r"head.layers.\1.norm1.\2"),
    Rule(D2_HEAD + "transformer_self" + D2_ATTENTION + r"(self_attn\..+)", r"head.layers.\1.\2"),
    Rule(D2_HEAD + "transformer_self" + D2_ATTENTION + r"norm\.(.+)", r"head.layers.\1.norm2.\2"),
    Rule(D2_HEAD + r"transformer_ffn_layers\.(\d+)\.(linear\d\..+)", r"head.layers.\1.\2"),
    Rule(D2_HEAD + r"transformer_ffn_layers\.(\d+)\.norm\.(.+)", r"head.layers.\1.norm3.\2"),
    Rule(D2_HEAD + r"decoder_norm\.(.+)", r"head.norm.\1"),
    # The first version of the predictor had another name for the first queries.
    Rule(D2_HEAD + r"(?:query_feat|static_query)\.(.+)", r"head.query_feat.\1"),
    Rule(D2_HEAD + r"(query_embed|level_embed)\.(.+)", r"head.\1.\2"),
    Rule(D2_HEAD + r"class_embed\.(.+)", r"head.cls_branch.layers.0.\1"),
    Rule(D2_HEAD + r"mask_embed\.layers\.(\d)\.(.+)", r"head.mask_branch.layers.\1.\2"),
    Rule(r"criterion\..+", "", "the class weights of its loss"),
)

D2_RULES = (
    Rule(r".+\.num_batches_tracked", "backbone", "a counter that nothing reads"),
    *D2_BACKBONE,
    *D2_PIXEL_DECODER,
    *D2_DECODER,
)

MASK2FORMER_VIS = SourceFormat(
    "a Mask2Former of MMDetection",
    MMDET_HEAD + r"transformer_decoder\.layers\.",
    lambda names: MMDET_RULES,
    PARTS,
)
MASK2FORMER_VIS_D2 = SourceFormat(
    "a Mask2Former of its authors (Detectron2)",
    D2_HEAD + "transformer_cross_attention_layers",
    lambda names: D2_RULES,
    PARTS,
)
