"""DETR on COCO, for boxes or with its mask head: where a model for video starts from."""

from mmttsrn.checkpoints.converters.rules import Rule, SourceFormat


def shared_rules(model: str) -> tuple[Rule, ...]:
    """Rules for what DETR and VisTR name alike: all but queries, classes and the last convolutions.

    The layers of their ResNet have torchvision's names, which are also MMDetection's.

    Args:
        model: Regular expression of the prefix of the inner model.
    """
    transformer = model + r"transformer\."
    fpn = "mask_head.fpn."
    return (
        Rule(r"(.+\.)num_batches_tracked", "backbone", "a counter that nothing reads"),
        Rule(model + r"backbone\.0\.body\.(.+)", r"backbone.\1"),
        Rule(model + r"input_proj\.(.+)", r"neck.input_proj.\1"),
        Rule(transformer + r"encoder\.layers\.(.+)", r"neck.layers.\1"),
        Rule(transformer + r"decoder\.layers\.(.+)", r"head.layers.\1"),
        Rule(transformer + r"decoder\.norm\.(.+)", r"head.norm.\1"),
        Rule(model + r"bbox_embed\.layers\.(.+)", r"head.bbox_branch.layers.\1"),
        Rule(r"bbox_attention\.(.+)", r"mask_head.box_attention.\1"),
        *(Rule(rf"mask_head\.lay{i + 1}\.(.+)", rf"{fpn}convs.{i}.\1") for i in range(4)),
        *(Rule(rf"mask_head\.gn{i + 1}\.(.+)", rf"{fpn}norms.{i}.\1") for i in range(4)),
        *(Rule(rf"mask_head\.adapter{i + 1}\.(.+)", rf"{fpn}adapters.{i}.\1") for i in range(3)),
        Rule(r"mask_head\.gn5\.(.+)", rf"{fpn}out_norm.\1"),
    )


# The published segmentation models wrap the detector as ``detr``; VisTR's authors start from
# wider ones that they have renamed to ``vistr``.
MODEL = r"(?:(?:detr|vistr)\.)?"
RULES = (
    Rule(MODEL + r"query_embed\..+", "head", "queries for the objects of one image"),
    Rule(MODEL + r"class_embed\..+", "head", "the COCO classes"),
    *shared_rules(MODEL),
    Rule(
        r"mask_head\.(?:lay5|out_lay)\..+",
        "mask_head",
        "plain convolutions where we have deformable and 3-D ones",
    ),
)
DETR = SourceFormat(
    "a DETR",
    MODEL + r"transformer\.encoder\.layers\.",
    lambda names: RULES,
    ("backbone", "neck", "head"),
)
