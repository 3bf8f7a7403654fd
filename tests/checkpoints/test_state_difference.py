"""The check that a checkpoint belongs to a model."""

import pytest
import torch
from torch import nn

from mmttsrn.checkpoints.host_loading import read_checkpoint
from mmttsrn.checkpoints.state_difference import check_checkpoint, compare_state, trained_with
from mmttsrn.errors import UserInputError


def build_model(width: int = 4, depth: int = 2, with_mask_head: bool = True) -> nn.Module:
    parts = {"backbone": nn.Sequential(*[nn.Linear(width, width) for _ in range(depth)])}
    if with_mask_head:
        parts["mask_head"] = nn.Linear(width, 1)
    return nn.ModuleDict(parts)


def save(path, model: nn.Module, **content) -> str:
    torch.save({"state_dict": model.state_dict(), **content}, path)
    return str(path)


def test_own_checkpoint_fits(tmp_path):
    path = save(tmp_path / "x.pth", build_model())
    check_checkpoint(build_model(), read_checkpoint(path), path)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod.", "model."])
def test_checkpoint_of_a_wrapped_model_fits(prefix, compiled):
    state = {f"{prefix}{name}": value for name, value in build_model().state_dict().items()}
    model = build_model()
    if compiled:
        model["backbone"] = torch.compile(model["backbone"])
    assert not compare_state(model, state)


def test_bare_weights_fit(tmp_path):
    torch.save(build_model().state_dict(), tmp_path / "x.pth")
    check_checkpoint(build_model(), read_checkpoint(str(tmp_path / "x.pth")), "x.pth")


@pytest.mark.parametrize(
    ("other", "difference"),
    [
        (dict(depth=1), "2 missing in it (backbone.1.weight, backbone.1.bias)"),
        (dict(depth=3), "2 unexpected (backbone.2.weight, backbone.2.bias)"),
        (dict(width=5), "5 of another shape (backbone.0.weight is (5, 5) instead of (4, 4), "),
        (dict(with_mask_head=False), "2 missing in it (mask_head.weight, mask_head.bias)"),
    ],
)
def test_checkpoint_of_another_model_is_refused(tmp_path, other, difference):
    meta = {"experiment_name": "vistr_ytvis19_20260101_101010"}
    path = save(tmp_path / "x.pth", build_model(**other), meta=meta)
    with pytest.raises(UserInputError) as error:
        check_checkpoint(build_model(), read_checkpoint(path), path)
    message = str(error.value)
    assert message.startswith(f"{path}: a checkpoint of another model: ")
    assert difference in message
    assert message.endswith("; it was trained with the config vistr_ytvis19")
    assert "\n" not in message


def test_a_part_that_the_model_leaves_out_is_no_error():
    difference = compare_state(build_model(with_mask_head=False), build_model().state_dict())
    assert not difference
    assert difference.unused_parts == ["mask_head"]


def test_many_differences_are_counted_with_three_examples():
    difference = compare_state(build_model(depth=9), build_model(depth=1).state_dict())
    assert str(difference) == (
        "16 missing in it (backbone.1.weight, backbone.1.bias, backbone.2.weight, ...)"
    )


def test_origin_is_unknown_without_meta():
    assert trained_with({"state_dict": {}}) is None
