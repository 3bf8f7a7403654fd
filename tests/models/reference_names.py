"""Parameter names of the VisTR and TT-SRN references, as far as they come after the backbone."""

# A name starts with one of the prefixes on the left; ours has the prefix on the right instead.
# ``{model}`` is the name of the references' inner model: vistr, or ttspn in TT-SRN.
COMMON_PREFIXES = {
    "{model}.input_proj.": "neck.input_proj.",
    "{model}.transformer.encoder.layers.": "neck.layers.",
    "{model}.transformer.decoder.layers.": "head.layers.",
    "{model}.transformer.decoder.norm.": "head.norm.",
    "{model}.query_embed.": "head.query_embed.",
    "bbox_attention.": "mask_head.box_attention.",
    "mask_head.lay1.": "mask_head.fpn.convs.0.",
    "mask_head.gn1.": "mask_head.fpn.norms.0.",
    "mask_head.lay2.": "mask_head.fpn.convs.1.",
    "mask_head.gn2.": "mask_head.fpn.norms.1.",
    "mask_head.lay3.": "mask_head.fpn.convs.2.",
    "mask_head.gn3.": "mask_head.fpn.norms.2.",
    "mask_head.lay4.": "mask_head.fpn.convs.3.",
    "mask_head.gn4.": "mask_head.fpn.norms.3.",
    "mask_head.adapter1.": "mask_head.fpn.adapters.0.",
    "mask_head.adapter2.": "mask_head.fpn.adapters.1.",
    "mask_head.adapter3.": "mask_head.fpn.adapters.2.",
    "mask_head.conv_offset.": "mask_head.fpn.deform_conv.conv_offset.",
    "mask_head.dcn.": "mask_head.fpn.deform_conv.dcn.",
    "mask_head.gn5.": "mask_head.fpn.out_norm.",
    "insmask_head.": "mask_head.sequence_convs.",
}
BRANCH_PREFIXES = {
    "vistr": {
        "vistr.class_embed.": "head.cls_branch.layers.0.",
        "vistr.bbox_embed.layers.": "head.bbox_branch.layers.",
    },
    "ttspn": {
        "ttspn.class_embed.net.": "head.cls_branch.net.",
        "ttspn.bbox_embed.net.": "head.bbox_branch.net.",
    },
}


def our_name(reference_name: str, model: str) -> str:
    """Our name of a reference parameter; ``model`` is ``"vistr"`` or ``"ttspn"``."""
    prefixes = {old.format(model=model): new for old, new in COMMON_PREFIXES.items()}
    for old, new in {**prefixes, **BRANCH_PREFIXES[model]}.items():
        if reference_name.startswith(old):
            return new + reference_name.removeprefix(old)
    raise KeyError(reference_name)
