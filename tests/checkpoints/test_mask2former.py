"""Published Mask2Former for video in our model: every name has its place."""

import re
from functools import cache

import pytest
import torch
from mask2former_checkpoints import PUBLISHED, as_detectron2, build_published
from mmdet.models.backbones.swin import WindowMSA, swin_converter
from torch import Tensor

from mmttsrn.apis.building import state_without_values
from mmttsrn.apis.config_file import load_config
from mmttsrn.checkpoints.conversion import check_parts, convert
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
    check_parts(conversion, kind, "x.pth")
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
    check_parts(conversion, KINDS[0], "x.pth")


# How names of today were written before.
OLDER = {
    "authors, first version": (
        KINDS[1],
        [("sem_seg_head.pixel_decoder.", "sem_seg_head."), ("query_feat", "static_query")],
    ),
    "MMDetection 2": (
        KINDS[0],
        [
            (r"encoder\.(layers\.\d)\.self_attn\.", r"encoder.\1.attentions.0."),
            (r"decoder\.(layers\.\d)\.cross_attn\.", r"decoder.\1.attentions.0."),
            (r"decoder\.(layers\.\d)\.self_attn\.", r"decoder.\1.attentions.1."),
            (r"coder\.(layers\.\d)\.ffn\.", r"coder.\1.ffns.0."),
        ],
    ),
}


@pytest.mark.parametrize(("kind", "renamed"), OLDER.values(), ids=OLDER)
def test_older_names(kind: str, renamed: list[tuple[str, str]]) -> None:
    name = "mask2former_r50_ytvis19"
    source = source_of(kind, name)
    expected = convert(source, kind, own_state(name), "x.pth").loaded
    older = {}
    for key in source:
        older[key] = key
        for pattern, replacement in renamed:
            older[key] = re.sub(pattern, replacement, older[key])
    assert sum(old != new for new, old in older.items()) > 100
    conversion = convert(
        {older[key]: tensor for key, tensor in source.items()}, kind, own_state(name), "x.pth"
    )
    assert conversion.loaded == {older[key]: target for key, target in expected.items()}
    check_parts(conversion, kind, "x.pth")


@pytest.mark.parametrize(
    ("left", "says"),
    [
        (r"(?!.*pixel_decoder)", "pixel_decoder (0 of 117)"),
        (r"(?!backbone)", "backbone (0 of 265)"),
        (r"(?!sem_seg_head\.predictor\.(?!transformer_cross.*0.norm))", "head (2 of 175)"),
    ],
)
def test_a_part_that_is_missing_is_refused(left: str, says: str) -> None:
    name = "mask2former_r50_ytvis19"
    source = {k: v for k, v in source_of(KINDS[1], name).items() if re.match(left, k)}
    source["sem_seg_head.predictor.transformer_cross_attention_layers.0.norm.bias"] = torch.zeros(
        256
    )
    conversion = convert(source, KINDS[1], own_state(name), "x.pth")
    with pytest.raises(UserInputError, match=rf"fit: {re.escape(says)}; .*--allow-missing-parts"):
        check_parts(conversion, KINDS[1], "x.pth")


def test_other_names_for_the_half_of_a_part_are_refused() -> None:
    name = "mask2former_r50_ytvis19"
    source = source_of(KINDS[1], name)
    source = {re.sub(r"(_layers\.[0-3])\.", r"\1.new.", k): v for k, v in source.items()}
    conversion = convert(source, KINDS[1], own_state(name), "x.pth")
    with pytest.raises(UserInputError, match=r"head \(\d\d+ of 175\); left out: .*new.*no name of"):
        check_parts(conversion, KINDS[1], "x.pth")
    source = {k: v for k, v in source.items() if ".new." not in k}  # of a model with fewer layers
    check_parts(convert(source, KINDS[1], own_state(name), "x.pth"), KINDS[1], "x.pth")


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
