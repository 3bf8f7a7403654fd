"""Mask2Former of the hub, for video or images, with a Swin backbone, as a model of ours."""

from collections.abc import Mapping
from typing import Any

from mmengine.config import Config

from mmttsrn.apis.config_file import load_config
from mmttsrn.apis.hub_frames import set_frame_steps
from mmttsrn.checkpoints.hub_folder import CONFIG, HubFolder
from mmttsrn.errors import UserInputError, input_errors

# What is changed for each model.
BASE = "mask2former_swin-t_ytvis19"
# What Transformers takes where a file leaves a field out.
DEFAULTS: dict[str, Any] = dict(
    feature_size=256,
    mask_feature_size=256,
    hidden_dim=256,
    encoder_feedforward_dim=1024,
    encoder_layers=6,
    decoder_layers=10,
    num_attention_heads=8,
    dim_feedforward=2048,
    num_queries=100,
)
SWIN_DEFAULTS: dict[str, Any] = dict(
    embed_dim=96,
    depths=[2, 2, 6, 2],
    num_heads=[3, 6, 12, 24],
    window_size=7,
    mlp_ratio=4,
    qkv_bias=True,
)
# What the models have that there are; with other values the same weights would mean another model.
FIXED: dict[str, Any] = dict(
    activation_function="relu", pre_norm=False, common_stride=4, feature_strides=[4, 8, 16, 32]
)
SWIN_FIXED: dict[str, Any] = dict(
    model_type="swin",
    patch_size=4,
    hidden_act="gelu",
    layer_norm_eps=1e-5,
    out_features=["stage1", "stage2", "stage3", "stage4"],
)


def config_of(folder: HubFolder) -> Config:
    """Return the config of a model.

    Raises:
        UserInputError: Its ``config.json`` or its preprocessing asks for something else.
    """
    place = f"{folder.name}/{CONFIG}"
    fields = DEFAULTS | FIXED | folder.config
    with input_errors(f"{place}: backbone_config"):
        swin = SWIN_DEFAULTS | SWIN_FIXED | dict(model_type=None) | dict(fields["backbone_config"])
    _check_fixed(fields, FIXED, place)
    _check_fixed(swin, SWIN_FIXED, f"{place}: backbone_config")
    cfg = load_config(BASE)
    num_classes = len(folder.classes)
    cfg.merge_from_dict(
        {
            "model.head.num_classes": num_classes,
            **_swin_settings(swin),
            **_pixel_decoder_settings(fields),
            **_head_settings(fields),
        }
    )
    set_frame_steps(cfg, folder, size_divisor=32)
    return cfg


def _check_fixed(fields: Mapping[str, Any], fixed: Mapping[str, Any], place: str) -> None:
    for key, expected in fixed.items():
        if fields[key] != expected:
            raise UserInputError(f"{place}: {key}: expected {expected}, got {fields[key]}")


def _swin_settings(fields: Mapping[str, Any]) -> dict[str, Any]:
    backbone = dict(
        embed_dims=fields["embed_dim"],
        depths=fields["depths"],
        num_heads=fields["num_heads"],
        window_size=fields["window_size"],
        mlp_ratio=int(fields["mlp_ratio"]),
        qkv_bias=fields["qkv_bias"],
        drop_path_rate=0.0,
        init_cfg=None,
    )
    return {f"model.backbone.{key}": value for key, value in backbone.items()}


def _pixel_decoder_settings(fields: Mapping[str, Any]) -> dict[str, Any]:
    width = fields["feature_size"]
    decoder = {
        "feat_channels": width,
        "out_channels": fields["mask_feature_size"],
        "encoder.num_layers": fields["encoder_layers"],
        "encoder.layer_cfg.self_attn_cfg.embed_dims": width,
        "encoder.layer_cfg.self_attn_cfg.num_heads": fields["num_attention_heads"],
        "encoder.layer_cfg.ffn_cfg.embed_dims": width,
        "encoder.layer_cfg.ffn_cfg.feedforward_channels": fields["encoder_feedforward_dim"],
        "positional_encoding.num_feats": width // 2,
    }
    return {f"model.pixel_decoder.decoder.{key}": value for key, value in decoder.items()}


def _head_settings(fields: Mapping[str, Any]) -> dict[str, Any]:
    width = fields["hidden_dim"]
    head = {
        "num_instances": fields["num_queries"],
        "embed_dims": width,
        "mask_channels": fields["mask_feature_size"],
        # Transformers counts the prediction of the initial queries as a layer.
        "layer_levels": [index % 3 for index in range(fields["decoder_layers"] - 1)],
        "num_heads": fields["num_attention_heads"],
        "ffn_channels": fields["dim_feedforward"],
        "positional_encoding.num_feats": width // 2,
        "mask_branch.hidden_channels": [width, width],
    }
    return {f"model.head.{key}": value for key, value in head.items()}
