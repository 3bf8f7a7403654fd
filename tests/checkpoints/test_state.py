"""What counts as weights in a file, and which backbones they belong to."""

import pytest
import torch

from mmttsrn.checkpoints.state import (
    FLOAT_TYPES,
    as_checkpoint,
    bare_names,
    check_backbone_depth,
    check_finite,
    named_tensors,
)
from mmttsrn.errors import UserInputError

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


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "x.pth: not a checkpoint: it holds no named tensors"),
        ({}, "x.pth: not a checkpoint"),
        ({"epoch": 3}, "'epoch' is of type int"),
        ({"model": {"a": "text"}}, "'a' is of type str"),
    ],
)
def test_what_holds_no_weights_is_named(content: object, message: str) -> None:
    with pytest.raises(UserInputError) as error:
        named_tensors(content, "x.pth")
    assert message in str(error.value)


@pytest.mark.parametrize("dtype", FLOAT_TYPES)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_weights_of_a_training_that_diverged_are_counted(dtype: torch.dtype, value: float) -> None:
    state = {name: torch.ones(2, 3, dtype=dtype) for name in "abcd"}
    state["b"][1, 2] = state["d"][0, 0] = value
    with pytest.raises(UserInputError) as error:
        as_checkpoint({"state_dict": state}, "x.pth")
    assert str(error.value) == (
        "x.pth: 2 of its 4 tensors hold NaN or infinite numbers, first b; its training has"
        " diverged: take an earlier checkpoint"
    )


def test_what_is_finite_passes() -> None:
    state = {
        str(dtype): torch.full((9,), torch.finfo(dtype).max, dtype=dtype) for dtype in FLOAT_TYPES
    }
    state |= {"empty": torch.empty(0), "count": torch.tensor(3), "flag": torch.tensor([True])}
    check_finite(state, "x.pth")  # though the sums are not


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"state_dict": {"a": torch.zeros(2, device="meta")}}, "a is a tensor without values"),
        ({"state_dict": {"a": torch.zeros(2).to_sparse()}}, "a is a tensor of layout"),
        ({"state_dict": {"a": torch.zeros(2) * 1j}}, "a is a tensor of type torch.complex64"),
        ({"meta": [1]}, "meta: is a list, expected a dict"),
        ({"meta": {"dataset_meta": "x"}}, "meta.dataset_meta: is a str, expected a dict"),
        ({"meta": {"dataset_meta": {"classes": 5}}}, "meta.dataset_meta.classes: '5' is no list"),
        ({"meta": {"dataset_meta": {"classes": ["a", 5]}}}, "meta.dataset_meta.classes: "),
    ],
)
def test_what_is_no_checkpoint_is_named(changes: dict, message: str) -> None:
    with pytest.raises(UserInputError) as error:
        as_checkpoint({"state_dict": WEIGHTS, "meta": None, **changes}, "x.pth")
    assert str(error.value).startswith(f"x.pth: {message}")


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
@pytest.mark.parametrize(
    ("given", "own", "example"),
    [((3, 4), (3, 2), "it has a block"), ((3, 2), (3, 4), "it has no block")],
)
def test_another_depth_is_refused(kind: str, given: tuple, own: tuple, example: str) -> None:
    with pytest.raises(UserInputError) as error:
        check_backbone_depth(blocks(*given, kind=kind), blocks(*own, kind=kind), "x.pth")
    message = str(error.value)
    assert message.startswith(f"x.pth: weights of a backbone with {sum(given)} blocks")
    assert example in message


def test_only_the_prefix_of_a_wrapper_is_left_out() -> None:
    names = ["module.head.module.weight", "head.module.bias", "module.module.x"]
    assert list(bare_names(dict.fromkeys(names))) == [
        "head.module.weight", "head.module.bias", "module.x"
    ]  # fmt: skip
