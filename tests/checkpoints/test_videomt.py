"""VidEoMT and EoMT in Transformers' names."""

import re
from typing import Any

import pytest
import torch
from tiny_videomt import DINOV3_VIT, VIT, K, host_model, videomt_config
from torch import Tensor

from mmttsrn.apis.building import build_from_config
from mmttsrn.checkpoints.conversion import check_parts, convert
from mmttsrn.errors import UserInputError

CLASS_LAYER = {"head.cls_branch.layers.0.weight", "head.cls_branch.layers.0.bias"}

pytest.importorskip("transformers")


def test_every_tensor_has_its_place() -> None:
    source, model = host_model().state_dict(), build_from_config(videomt_config()).state_dict()
    conversion = convert(source, "videomt", model, "x")
    assert conversion.left_out.keys() == {
        "criterion.empty_weight",
        "attn_mask_probs",
        "embeddings.mask_token",
    }
    assert conversion.initialised == []
    check_parts(conversion, "videomt", "x")


def test_other_classes_leave_the_class_layer_new() -> None:
    model = build_from_config(videomt_config(num_classes=K + 2)).state_dict()
    conversion = convert(host_model().state_dict(), "videomt", model, "x")
    assert {*conversion.initialised} == CLASS_LAYER
    check_parts(conversion, "videomt", "x")


def test_a_model_for_images_lacks_what_hands_queries_on() -> None:
    source = host_model(DINOV3_VIT).state_dict()
    model = build_from_config(videomt_config(DINOV3_VIT)).state_dict()
    conversion = convert(source, "videomt", model, "x")
    assert {*conversion.initialised} == {"head.query_updater.weight", "head.query_updater.bias"}
    check_parts(conversion, "videomt", "x")


def test_another_depth_is_refused() -> None:
    source = host_model(VIT | dict(num_hidden_layers=6)).state_dict()
    model = build_from_config(videomt_config()).state_dict()
    with pytest.raises(UserInputError, match="a backbone with 4 blocks, but the model's has 3"):
        convert(source, "videomt", model, "x")


def authors_names(source: dict[str, Tensor], with_dinov3: bool) -> dict[str, Tensor]:
    """The same weights as the authors' program saves them."""
    vit = "backbone.encoder.backbone."
    pairs = [
        (r"layers\.(.+)", vit + r"blocks.\1"),
        (r"layernorm\.(.+)", vit + r"norm.\1"),
        (r"query\.weight", "backbone.q.weight"),
        (r"query_updater\.(.+)", r"backbone.query_updater.\1"),
        (r"class_predictor\.(.+)", r"backbone.class_head.\1"),
        (r"mask_head\.fc1\.(.+)", r"backbone.mask_head.0.\1"),
        (r"mask_head\.fc2\.(.+)", r"backbone.mask_head.2.\1"),
        (r"mask_head\.fc3\.(.+)", r"backbone.mask_head.4.\1"),
        (r"upscale_block\.block\.(\d)\.layernorm2d\.(.+)", r"backbone.upscale.\1.norm.\2"),
        (r"upscale_block\.block\.(.+)", r"backbone.upscale.\1"),
        (r"attn_mask_probs", "backbone.attn_mask_probs"),
    ]
    if with_dinov3:
        pairs += [(r"embeddings\.(.+)", vit + r"patch_embed.\1")]
    else:
        pairs += [
            (r"embeddings\.cls_token", vit + "cls_token"),
            (r"embeddings\.register_tokens", vit + "reg_token"),
            (r"embeddings\.position_embeddings\.weight", vit + "pos_embed"),
            (r"embeddings\.patch_embeddings\.projection\.(.+)", vit + r"patch_embed.proj.\1"),
        ]
    renamed = {}
    for name, tensor in source.items():
        if name.endswith("mask_token"):
            continue
        for pattern, target in pairs:
            name = re.sub(f"^{pattern}$", target, name)
        renamed[name] = tensor[None] if name.endswith("pos_embed") else tensor
    if with_dinov3:
        return renamed
    timm = {}
    for name, tensor in renamed.items():
        if ".attention.q_proj." in name:
            parts = [renamed[name.replace("q_proj", f"{x}_proj")] for x in "qkv"]
            timm[name.replace("attention.q_proj", "attn.qkv")] = torch.cat(parts)
        elif not re.search(r"attention\.[kv]_proj", name):
            name = re.sub(r"layer_scale(\d)\.lambda1", r"ls\1.gamma", name)
            timm[name.replace("attention.out_proj", "attn.proj")] = tensor
    return timm


@pytest.mark.parametrize("vit", [VIT, DINOV3_VIT], ids=["dinov2", "dinov3"])
def test_the_authors_names_give_the_same_weights(vit: dict[str, Any]) -> None:
    source = host_model(vit).state_dict()
    if "query_updater.weight" not in source:  # Transformers has DINOv3 for images only
        source |= {
            "query_updater.weight": torch.randn(32, 32),
            "query_updater.bias": torch.ones(32),
        }
    model = build_from_config(videomt_config(vit)).state_dict()
    expected = convert(source, "videomt", model, "x")
    file = authors_names(source, vit is DINOV3_VIT)
    assert not {*file} & {*source} - {"criterion.empty_weight"}
    conversion = convert(file, "videomt-authors", model, "x")
    assert conversion.initialised == []
    assert conversion.state.keys() == expected.state.keys() == model.keys()
    for name, tensor in expected.state.items():
        assert torch.equal(conversion.state[name], tensor), name
    with pytest.raises(UserInputError, match="those of --from videomt-authors"):
        convert(file, "videomt", model, "x")
