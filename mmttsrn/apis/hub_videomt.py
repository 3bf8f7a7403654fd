"""VidEoMT of the hub as a model of ours."""

from typing import Any

from mmengine.config import Config

from mmttsrn.apis.config_file import load_config
from mmttsrn.apis.hub_frames import set_frame_steps
from mmttsrn.checkpoints.hub_folder import CONFIG, HubFolder
from mmttsrn.errors import UserInputError

# What is changed for each model.
BASE = "videomt_dinov2-s_ytvis19"
# Fields of the Vision Transformer, and what Transformers takes where a file leaves one out.
VIT_DEFAULTS: dict[str, Any] = dict(
    model_type="videomt",
    hidden_size=1024,
    num_hidden_layers=24,
    num_attention_heads=16,
    image_size=640,
    patch_size=16,
    mlp_ratio=4,
    use_swiglu_ffn=False,
    layer_norm_eps=1e-6,
    num_blocks=4,
    num_register_tokens=4,
)
HEAD_DEFAULTS: dict[str, Any] = dict(num_queries=200, num_upscale_blocks=2, hidden_act="gelu")


def config_of(folder: HubFolder) -> Config:
    """Return the config of a model.

    Raises:
        UserInputError: Its ``config.json`` or its preprocessing asks for something else.
    """
    vit = {key: folder.config.get(key, default) for key, default in VIT_DEFAULTS.items()}
    head = {key: folder.config.get(key, default) for key, default in HEAD_DEFAULTS.items()}
    for key, default in (VIT_DEFAULTS | HEAD_DEFAULTS).items():
        value = (vit | head)[key]
        if not isinstance(value, type(default)):
            kind = type(default).__name__
            raise UserInputError(f"{folder.name}/{CONFIG}: {key}: expected {kind}, got {value!r}")
    if head["hidden_act"] != "gelu":
        raise UserInputError(
            f"{folder.name}/{CONFIG}: hidden_act: expected gelu, got {head['hidden_act']!r}"
        )
    cfg = load_config(BASE)
    model = cfg.model
    model.backbone.vit, model.head.blocks.vit = vit, dict(vit)
    model.head.update(
        num_classes=len(folder.classes),
        num_instances=head["num_queries"],
        num_upscale=head["num_upscale_blocks"],
    )
    model.head.mask_branch.hidden_channels = [vit["hidden_size"]] * 2
    set_frame_steps(cfg, folder)
    return cfg
