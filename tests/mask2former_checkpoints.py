"""Mask2Former for video of MMDetection with random weights, and as its authors would publish it."""

import re
from collections.abc import Mapping
from pathlib import Path

import mmdet
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from torch import Tensor, nn

from mmttsrn.setup_env import register_all_modules

CONFIGS = Path(mmdet.__file__).parent / ".mim/configs/mask2former_vis"
# Our config by MMDetection's.
PUBLISHED = {
    "mask2former_r50_ytvis19": "mask2former_r50_8xb2-8e_youtubevis2019",
    "mask2former_r101_ytvis19": "mask2former_r101_8xb2-8e_youtubevis2019",
    "mask2former_r50_ytvis21": "mask2former_r50_8xb2-8e_youtubevis2021",
    "mask2former_r101_ytvis21": "mask2former_r101_8xb2-8e_youtubevis2021",
    "mask2former_swin-l_ytvis21": "mask2former_swin-l-p4-w12-384-in21k_8xb2-8e_youtubevis2021",
}


def build_published(name: str) -> nn.Module:
    """MMDetection's model by the name of our config, in evaluation mode."""
    register_all_modules()
    config = Config.fromfile(CONFIGS / f"{PUBLISHED[name]}.py")
    init_default_scope("mmdet")
    return MODELS.build(config.model).eval()


def disturb(model: nn.Module, seed: int = 0) -> nn.Module:
    """Random weights, biases, scales and statistics, none of them zero or one."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        scale = 0.02 if parameter.dim() > 1 else 0.1
        parameter.data += scale * torch.randn(parameter.shape, generator=generator)
    for name, buffer in model.named_buffers():
        if name.endswith("running_mean"):
            buffer += 0.1 * torch.randn(buffer.shape, generator=generator)
        elif name.endswith("running_var"):
            buffer *= 0.8 + 0.4 * torch.rand(buffer.shape, generator=generator)
    return model


# From MMDetection's names to those of the authors, in Detectron2.
TO_DETECTRON2 = [
    (r"^backbone\.conv1\.", "backbone.stem.conv1."),
    (r"^backbone\.bn1\.", "backbone.stem.conv1.norm."),
    (r"(backbone\.layer\d\.\d+)\.bn(\d)\.", r"\1.conv\2.norm."),
    (r"(backbone\.layer\d\.0)\.downsample\.0\.", r"\1.shortcut."),
    (r"(backbone\.layer\d\.0)\.downsample\.1\.", r"\1.shortcut.norm."),
    (r"backbone\.layer1\.", "backbone.res2."),
    (r"backbone\.layer2\.", "backbone.res3."),
    (r"backbone\.layer3\.", "backbone.res4."),
    (r"backbone\.layer4\.", "backbone.res5."),
    (r"backbone\.patch_embed\.projection\.", "backbone.patch_embed.proj."),
    (r"(backbone\.stages\.\d\.blocks\.\d+\.attn)\.w_msa\.", r"\1."),
    (r"(backbone\.stages\.\d\.blocks\.\d+)\.ffn\.layers\.0\.0\.", r"\1.mlp.fc1."),
    (r"(backbone\.stages\.\d\.blocks\.\d+)\.ffn\.layers\.1\.", r"\1.mlp.fc2."),
    (r"backbone\.stages\.", "backbone.layers."),
    (r"track_head\.pixel_decoder\.", "sem_seg_head.pixel_decoder."),
    (r"pixel_decoder\.input_convs\.(\d)\.conv\.", r"pixel_decoder.input_proj.\1.0."),
    (r"pixel_decoder\.input_convs\.(\d)\.gn\.", r"pixel_decoder.input_proj.\1.1."),
    (r"pixel_decoder\.level_encoding\.weight", "pixel_decoder.transformer.level_embed"),
    (r"pixel_decoder\.encoder\.", "pixel_decoder.transformer.encoder."),
    (r"(transformer\.encoder\.layers\.\d)\.ffn\.layers\.0\.0\.", r"\1.linear1."),
    (r"(transformer\.encoder\.layers\.\d)\.ffn\.layers\.1\.", r"\1.linear2."),
    (r"(transformer\.encoder\.layers\.\d)\.norms\.0\.", r"\1.norm1."),
    (r"(transformer\.encoder\.layers\.\d)\.norms\.1\.", r"\1.norm2."),
    (r"pixel_decoder\.lateral_convs\.0\.conv\.", "pixel_decoder.adapter_1."),
    (r"pixel_decoder\.lateral_convs\.0\.gn\.", "pixel_decoder.adapter_1.norm."),
    (r"pixel_decoder\.output_convs\.0\.conv\.", "pixel_decoder.layer_1."),
    (r"pixel_decoder\.output_convs\.0\.gn\.", "pixel_decoder.layer_1.norm."),
    (r"pixel_decoder\.mask_feature\.", "pixel_decoder.mask_features."),
    (r"track_head\.", "sem_seg_head.predictor."),
    (r"transformer_decoder\.post_norm\.", "decoder_norm."),
    (r"transformer_decoder\.layers\.(\d)\.cross_attn\.attn\.", r"{cross}.\1.multihead_attn."),
    (r"transformer_decoder\.layers\.(\d)\.self_attn\.attn\.", r"{self}.\1.self_attn."),
    (r"transformer_decoder\.layers\.(\d)\.norms\.0\.", r"{cross}.\1.norm."),
    (r"transformer_decoder\.layers\.(\d)\.norms\.1\.", r"{self}.\1.norm."),
    (r"transformer_decoder\.layers\.(\d)\.norms\.2\.", r"{ffn}.\1.norm."),
    (r"transformer_decoder\.layers\.(\d)\.ffn\.layers\.0\.0\.", r"{ffn}.\1.linear1."),
    (r"transformer_decoder\.layers\.(\d)\.ffn\.layers\.1\.", r"{ffn}.\1.linear2."),
    (r"\{(cross|self)\}", r"transformer_\1_attention_layers"),
    (r"\{ffn\}", "transformer_ffn_layers"),
    (r"predictor\.cls_embed\.", "predictor.class_embed."),
    (r"predictor\.mask_embed\.0\.", "predictor.mask_embed.layers.0."),
    (r"predictor\.mask_embed\.2\.", "predictor.mask_embed.layers.1."),
    (r"predictor\.mask_embed\.4\.", "predictor.mask_embed.layers.2."),
]


def as_detectron2(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of MMDetection's model as its authors would publish them.

    Their frozen norms have no counters, their loss has weights, and the patch merging of their Swin
    takes its four pixels column by column, all channels of one after those of another.
    """
    result = {"criterion.empty_weight": torch.ones(41)}
    for name, tensor in state.items():
        if name.endswith("num_batches_tracked"):
            continue
        if ".downsample." in name and ".stages." in name:
            pixels = tensor.reshape(*tensor.shape[:-1], -1, 2, 2)  # ..., channel, row, column
            order = [tensor.dim() + 1, tensor.dim(), tensor.dim() - 1]
            tensor = pixels.permute(*range(tensor.dim() - 1), *order).reshape(tensor.shape)
        for pattern, replacement in TO_DETECTRON2:
            name = re.sub(pattern, replacement, name)
        result[name] = tensor
    return result
