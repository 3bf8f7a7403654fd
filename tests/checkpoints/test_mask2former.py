"""Published Mask2Former for video in our model: every name has its place."""

from functools import cache

import pytest
import torch
from mask2former_checkpoints import PUBLISHED, as_detectron2, build_published
from mmdet.models.backbones.swin import WindowMSA, swin_converter
from torch import Tensor

from mmttsrn.apis.building import state_without_values
from mmttsrn.apis.config_file import load_config
from mmttsrn.checkpoints.conversion import convert
from mmttsrn.checkpoints.converters import SOURCE_FORMATS, find_rule
from mmttsrn.errors import UserInputError

KINDS = ("mask2former-vis", "mask2former-vis-d2")


@cache
def published_state(name: str) -> dict[str, Tensor]:
    state = build_published(name).state_dict()
    return {key: tensor.to("meta") for key, tensor in state.items()}


@cache
def own_state(name: str) -> dict[str, Tensor]:
    return state_without_values(load_config(name))


def source_of(kind: str, name: str) -> dict[str, Tensor]:
    state = published_state(name)
    return as_detectron2(state) if kind == KINDS[1] else state


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "name", [name for name in PUBLISHED if "ytvis19" in name or "swin" in name]
)
def test_is_loaded_whole(name: str, kind: str) -> None:
    conversion = convert(source_of(kind, name), kind, own_state(name), "x.pth")
    assert set(conversion.left_out) <= {"criterion.empty_weight"}
    assert not conversion.initialised
    assert conversion.state.keys() == own_state(name).keys()
    assert {k: v.shape for k, v in conversion.state.items()} == {
        k: v.shape for k, v in own_state(name).items()
    }


def test_image_model_is_a_start_for_training() -> None:
    name = "mask2former_r50_ytvis19"
    source = {
        key.replace("track_head", "panoptic_head"): torch.empty(
            81, *tensor.shape[1:], device="meta"
        )
        if "cls_embed" in key
        else tensor
        for key, tensor in published_state(name).items()
    }
    conversion = convert(source, KINDS[0], own_state(name), "x.pth")
    reasons = {entry.reason for entry in conversion.left_out.values()}
    assert reasons == {"other classes: 80 in the checkpoint, 40 in the model"}
    layer = "head.cls_branch.layers.0"
    assert conversion.initialised == [f"{layer}.weight", f"{layer}.bias"]


def test_first_queries_of_older_files() -> None:
    name = "mask2former_r50_ytvis19"
    source = {
        key.replace("query_feat", "static_query"): tensor
        for key, tensor in source_of(KINDS[1], name).items()
    }
    assert any("static_query" in key for key in source)
    assert not convert(source, KINDS[1], own_state(name), "x.pkl").initialised


@pytest.mark.parametrize("kind", KINDS)
def test_another_backbone_or_kind_is_refused(kind: str) -> None:
    source = source_of(kind, "mask2former_r50_ytvis19")
    with pytest.raises(UserInputError, match="16 blocks, but the model's has 33"):
        convert(source, kind, own_state("mask2former_r101_ytvis19"), "x.pth")
    other = KINDS[1 - KINDS.index(kind)]
    with pytest.raises(UserInputError, match=f"its names are those of --from {kind}"):
        convert(source, other, own_state("mask2former_r50_ytvis19"), "x.pth")


def test_patch_merging_as_the_host_converts_it() -> None:
    names = {
        "layers.0.downsample.reduction.weight": (6, 12),
        "layers.0.downsample.norm.bias": (12,),
    }
    source = {name: torch.randn(shape) for name, shape in names.items()}
    expected = swin_converter(dict(source))
    assert len(expected) == len(source)
    for (name, tensor), theirs in zip(source.items(), expected.values(), strict=True):
        rule = find_rule(f"backbone.{name}", SOURCE_FORMATS[KINDS[1]].rules(()))
        assert rule.select is not None
        assert torch.equal(rule.select(tensor), theirs)


def test_window_positions_count_alike() -> None:
    """The authors count row differences times the width of the table plus column differences."""
    window = WindowMSA(8, 1, (3, 3))
    rows, columns = torch.arange(9) // 3, torch.arange(9) % 3
    index = (rows[:, None] - rows + 2) * 5 + columns[:, None] - columns + 2
    assert torch.equal(window.relative_position_index, index)
