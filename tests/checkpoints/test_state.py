"""What counts as weights in a file, and which backbones they belong to."""

import pytest
import torch

from mmttsrn.checkpoints.state import (
    as_checkpoint,
    bare_names,
    check_backbone_depth,
    check_numbers,
    named_tensors,
)
from mmttsrn.errors import UserInputError

FLOAT_TYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
WEIGHTS = {"a.weight": torch.zeros(2), "b.bias": torch.ones(3)}


@pytest.mark.parametrize(
    "content",
    [
        WEIGHTS,
        {"state_dict": WEIGHTS, "meta": {}},
        {"model": WEIGHTS, "optimizer": {}, "epoch": 3},
        {"model": {f"module.{name}": tensor for name, tensor in WEIGHTS.items()}},
    ],
)
def test_weights_are_found(content: object) -> None:
    assert named_tensors(content, "x.pth") == WEIGHTS


@pytest.mark.parametrize("dtype", FLOAT_TYPES)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_weights_of_a_training_that_diverged_are_counted(dtype: torch.dtype, value: float) -> None:
    state = {name: torch.ones(2, 3, dtype=dtype) for name in "abcd"}
    state["b"][1, 2] = state["d"][0, 0] = value
    with pytest.raises(UserInputError) as error:
        as_checkpoint({"state_dict": state}, "x.pth")
    assert str(error.value).startswith("x.pth: 2 of its 4 tensors hold NaN or infinite numbers")
    assert ", first b; " in str(error.value)


def test_what_is_finite_passes() -> None:
    state = {
        str(dtype): torch.full((9,), torch.finfo(dtype).max, dtype=dtype) for dtype in FLOAT_TYPES
    }
    state |= {"empty": torch.empty(0), "count": torch.tensor(3), "flag": torch.tensor([True])}
    check_numbers(state, "x.pth")  # though the sums are not


@pytest.mark.parametrize("meta", [None, {}, {"dataset_meta": None}, {"dataset_meta": {}}])
def test_checkpoints_need_no_classes(meta: object) -> None:
    assert as_checkpoint({"state_dict": WEIGHTS, "meta": meta}, "x.pth")["meta"] == meta


def blocks(*counts: int, prefix: str = "", kind: str = "layer") -> list[str]:
    stage = "{}{}" if kind == "layer" else "{}.{}"
    return [
        f"{prefix}{stage.format(kind, i)}.{j}.conv1.weight"
        for i, count in enumerate(counts)
        for j in range(count)
    ]


def test_backbones_of_the_same_depth_agree() -> None:
    check_backbone_depth(blocks(2, 3), blocks(2, 3, prefix="backbone."), "x.pth")


def test_weights_without_a_backbone_are_not_judged() -> None:
    check_backbone_depth(["head.norm.weight"], blocks(2, 3), "x.pth")
    check_backbone_depth(blocks(2, 3, kind="blocks"), ["head.norm.weight"], "x.pth")
    check_backbone_depth(blocks(2, 3, kind="blocks"), blocks(2, 4), "x.pth")


@pytest.mark.parametrize("kind", ["layer", "blocks"])
@pytest.mark.parametrize(("given", "own"), [((3, 4), (3, 2)), ((3, 2), (3, 4))])
def test_another_depth_is_refused(kind: str, given: tuple, own: tuple) -> None:
    with pytest.raises(UserInputError) as error:
        check_backbone_depth(blocks(*given, kind=kind), blocks(*own, kind=kind), "x.pth")
    line = f"x.pth: weights of a backbone with {sum(given)} blocks, but the model's has {sum(own)}"
    assert str(error.value).startswith(line)


def test_only_the_prefix_of_a_wrapper_is_left_out() -> None:
    names = ["module.head.module.weight", "head.module.bias", "module.module.x"]
    assert list(bare_names(dict.fromkeys(names))) == [
        "head.module.weight", "head.module.bias", "module.x"
    ]  # fmt: skip
