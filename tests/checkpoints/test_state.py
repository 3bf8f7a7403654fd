"""What counts as weights in a file, and which backbones they belong to."""

import pytest
import torch

from mmttsrn.checkpoints.state import (
    as_checkpoint,
    bare_names,
    check_backbone_depth,
    check_numbers,
    named_tensors,
    take_bare_names,
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
        {"state_dict": {"model": WEIGHTS, "epoch": 3}},
        {"model": {"state_dict": {f"_orig_mod.{name}": x for name, x in WEIGHTS.items()}}},
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


@pytest.mark.parametrize(
    ("name", "bare"),
    [
        ("module.head.module.weight", "head.module.weight"),
        ("head.module.bias", "head.module.bias"),
        ("head._orig_model.bias", "head._orig_model.bias"),
        ("_orig_mod.head.bias", "head.bias"),
        ("module._orig_mod.head.bias", "head.bias"),
        ("_orig_mod.module.head.bias", "head.bias"),
        ("module.module.head.bias", "head.bias"),
        ("model.head.bias", "head.bias"),
        ("model._orig_mod.module.head.bias", "head.bias"),
        ("backbone._orig_mod.layer1.0.bn._orig_mod.bias", "backbone.layer1.0.bn.bias"),
        ("module.backbone._fsdp_wrapped_module.bias", "backbone.bias"),
        ("head.layers.0._checkpoint_wrapped_module.bias", "head.layers.0.bias"),
    ],
)
def test_names_of_wrappers_are_left_out(name: str, bare: str) -> None:
    assert list(bare_names({name: 1, "neck.bias": 2})) == [bare, "neck.bias"]


def test_names_that_would_be_double_stay() -> None:
    state = {"model.x": 1, "x": 2, "_orig_mod.y": 3}
    assert bare_names(state) == state


def test_averaged_weights_keep_the_wrapper_of_the_hook() -> None:
    average = {"module._orig_mod.a.weight": WEIGHTS["a.weight"], "steps": torch.tensor(3)}
    content = {"state_dict": {"_orig_mod.a.weight": WEIGHTS["a.weight"]}, "ema_state_dict": average}
    checkpoint = as_checkpoint(content, "x.pth")
    assert checkpoint["state_dict"].keys() == {"a.weight"}
    assert checkpoint["ema_state_dict"].keys() == {"module.a.weight", "steps"}
    with pytest.raises(UserInputError, match=r"^x\.pth: ema_state_dict: "):
        as_checkpoint({**content, "ema_state_dict": {1: 2}}, "x.pth")


def test_versions_of_modules_are_kept() -> None:
    """PyTorch notes them beside the names, and modules read older weights by them."""
    state = torch.nn.BatchNorm2d(2).state_dict()
    assert bare_names(state)._metadata == {"": {"version": 2}}


class Compiled(torch.nn.Module):
    """Names of its own for what checkpoints call ``norm`` and ``fc``."""

    def __init__(self) -> None:
        super().__init__()
        self.model = torch.nn.ModuleDict(
            {
                "norm": torch.compile(torch.nn.BatchNorm2d(2), backend="eager"),
                "fc": torch.nn.Linear(2, 2),
            }
        )


@pytest.mark.parametrize("prefix", ["", "module."])
def test_a_module_with_wrappers_inside_takes_bare_names(prefix: str) -> None:
    given = {
        "norm.weight": torch.rand(2),
        "module._orig_mod.fc.bias": torch.rand(2),
        "other": torch.rand(2),
    }
    module = Compiled()
    module.register_load_state_dict_pre_hook(take_bare_names)
    outer = torch.nn.ModuleDict({"module": module}) if prefix else module
    incompatible = outer.load_state_dict({prefix + k: v for k, v in given.items()}, strict=False)
    assert incompatible.unexpected_keys == [f"{prefix}other"]
    assert torch.equal(module.model["norm"].weight, given["norm.weight"])
    assert torch.equal(module.model["fc"].bias, given["module._orig_mod.fc.bias"])
