"""Folders as the Hugging Face hub has them: a small Mask2Former with random weights."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

CLASSES = ("cat", "dog", "fish")
CONFIG: dict[str, Any] = dict(
    architectures=["VideoMask2FormerForVideoSegmentation"],
    model_type="video_mask2former",
    backbone_config=dict(
        model_type="swin",
        embed_dim=16,
        depths=[1, 1, 2, 1],
        num_heads=[1, 2, 4, 8],
        window_size=4,
    ),
    num_queries=7,
    feature_size=32,
    mask_feature_size=64,
    hidden_dim=32,
    encoder_feedforward_dim=48,
    dim_feedforward=40,
    num_attention_heads=2,
    encoder_layers=2,
    decoder_layers=5,
)
PREPROCESSING: dict[str, Any] = dict(
    image_processor_type="VideoMask2FormerImageProcessor",
    do_resize=True,
    size=dict(shortest_edge=64, longest_edge=128),
    size_divisor=32,
    resample=2,
    do_rescale=True,
    rescale_factor=1 / 255,
    do_normalize=True,
    image_mean=[0.485, 0.456, 0.406],
    image_std=[0.229, 0.224, 0.225],
)

# From our names to those of Transformers in 2023.
BLOCK = r"backbone\.stages\.(\d)\.blocks\.(\d+)\."
HUB_BLOCK = r"backbone.encoder.layers.\1.blocks.\2."
TO_HUB = [
    (r"^backbone\.patch_embed\.projection\.", "backbone.embeddings.patch_embeddings.projection."),
    (r"^backbone\.patch_embed\.norm\.", "backbone.embeddings.norm."),
    (BLOCK + r"attn\.w_msa\.proj\.", HUB_BLOCK + "attention.output.dense."),
    (BLOCK + r"attn\.w_msa\.", HUB_BLOCK + "attention.self."),
    (BLOCK + r"norm1\.", HUB_BLOCK + "layernorm_before."),
    (BLOCK + r"norm2\.", HUB_BLOCK + "layernorm_after."),
    (BLOCK + r"ffn\.layers\.0\.0\.", HUB_BLOCK + "intermediate.dense."),
    (BLOCK + r"ffn\.layers\.1\.", HUB_BLOCK + "output.dense."),
    (r"^backbone\.stages\.", "backbone.encoder.layers."),
    *((rf"^backbone\.norm{i}\.", f"backbone.hidden_states_norms.stage{i + 1}.") for i in range(4)),
    (r"^backbone\.", "model.pixel_level_module.encoder."),
    (r"^pixel_decoder\.decoder\.", "model.pixel_level_module.decoder."),
    (r"decoder\.input_convs\.(\d)\.conv\.", r"decoder.input_projections.\1.0."),
    (r"decoder\.input_convs\.(\d)\.gn\.", r"decoder.input_projections.\1.1."),
    (r"decoder\.level_encoding\.weight", "decoder.level_embed"),
    (r"(decoder\.encoder\.layers\.\d)\.ffn\.layers\.0\.0\.", r"\1.fc1."),
    (r"(decoder\.encoder\.layers\.\d)\.ffn\.layers\.1\.", r"\1.fc2."),
    (r"(decoder\.encoder\.layers\.\d)\.norms\.0\.", r"\1.self_attn_layer_norm."),
    (r"(decoder\.encoder\.layers\.\d)\.norms\.1\.", r"\1.final_layer_norm."),
    (r"decoder\.lateral_convs\.0\.conv\.", "decoder.adapter_1.0."),
    (r"decoder\.lateral_convs\.0\.gn\.", "decoder.adapter_1.1."),
    (r"decoder\.output_convs\.0\.conv\.", "decoder.layer_1.0."),
    (r"decoder\.output_convs\.0\.gn\.", "decoder.layer_1.1."),
    (r"decoder\.mask_feature\.", "decoder.mask_projection."),
    (r"^head\.cls_branch\.layers\.0\.", "class_predictor."),
    (r"^head\.", "model.transformer_module."),
    (r"module\.query_feat\.", "module.queries_features."),
    (r"module\.query_embed\.", "module.queries_embedder."),
    (r"module\.norm\.", "module.decoder.layernorm."),
    (r"module\.mask_branch\.layers\.(\d)\.", r"module.decoder.mask_predictor.mask_embedder.\1.0."),
    (r"module\.layers\.", "module.decoder.layers."),
    (r"multihead_attn\.", "cross_attn."),
    (r"self_attn\.in_proj_", "self_attn.qkv."),
    (r"(module\.decoder\.layers\.\d)\.norm1\.", r"\1.cross_attn_layer_norm."),
    (r"(module\.decoder\.layers\.\d)\.norm2\.", r"\1.self_attn_layer_norm."),
    (r"(module\.decoder\.layers\.\d)\.norm3\.", r"\1.final_layer_norm."),
    (r"(module\.decoder\.layers\.\d)\.linear(\d)\.", r"\1.fc\2."),
]


def hub_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of our model as Transformers saved them in 2023."""
    result = {"criterion.empty_weight": torch.ones(4)}
    for name, tensor in state.items():
        if ".downsample." in name:
            # Four pixels, column by column, all channels of one after those of another.
            pixels = tensor.reshape(*tensor.shape[:-1], -1, 2, 2)  # ..., channel, row, column
            order = [tensor.dim() + 1, tensor.dim(), tensor.dim() - 1]
            tensor = pixels.permute(*range(tensor.dim() - 1), *order).reshape(tensor.shape)
        for pattern, replacement in TO_HUB:
            name = re.sub(pattern, replacement, name)
        if ".qkv." in name:
            kinds = ("query", "key", "value") if "attention" in name else ("q", "k", "v")
            for kind, part in zip(kinds, tensor.chunk(3), strict=True):
                word = kind if "attention" in name else f"{kind}_proj"
                result[name.replace("qkv", word)] = part.clone()
        else:
            result[name] = tensor.clone()
    return result


def write_folder(
    folder: Path,
    state: Mapping[str, Tensor] | None,
    classes: Sequence[str] = CLASSES,
    preprocessing: Mapping[str, Any] = PREPROCESSING,
    **changes: Any,
) -> Path:
    """Write a folder in the form of 2023.

    Args:
        folder: Where.
        state: Weights by our names; None for none.
        classes: Names of the classes.
        preprocessing: Content of ``preprocessor_config.json``.
        **changes: Other fields of ``config.json``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    id2label = {str(label): name for label, name in enumerate(classes)}
    content = {**CONFIG, "id2label": id2label, **changes}
    (folder / "config.json").write_text(json.dumps(content))
    (folder / "preprocessor_config.json").write_text(json.dumps(preprocessing))
    if state is not None:
        torch.save(hub_names(state), folder / "pytorch_model.bin")
    return folder


def random_state(folder: Path) -> dict[str, Tensor]:
    """Random weights by our names for the model that a folder describes."""
    from mask2former_checkpoints import disturb

    from mmttsrn.apis.building import build_from_config
    from mmttsrn.apis.hub_models import hub_config
    from mmttsrn.checkpoints.hub_folder import open_hub_folder

    torch.manual_seed(0)
    return disturb(build_from_config(hub_config(open_hub_folder(folder)))).state_dict()


def write_model(folder: Path, **changes: Any) -> Path:
    """Write a whole folder with random weights; arguments are those of :func:`write_folder`."""
    write_folder(folder, None, **changes)
    return write_folder(folder, random_state(folder), **changes)
