"""EfficientNet-Lite of ``efficientnet_lite_pytorch``, an ImageNet classifier."""

from mmttsrn.checkpoints.converters.rules import Rule, SourceFormat

CLASSIFIER = "the ImageNet classifier"
# Ours has the same names; its stem and blocks are those before the classifier.
RULES = (
    Rule(r"((?:_conv_stem|_bn0|_blocks)\..+)", r"backbone.\1"),
    Rule(r"(?:_conv_head|_bn1|_fc)\..+", "", CLASSIFIER),
)
EFFICIENTNET_LITE = SourceFormat(
    "an EfficientNet-Lite of efficientnet_lite_pytorch",
    r"_blocks\.\d+\._depthwise_conv\.",
    lambda names: RULES,
    ("backbone",),
)
