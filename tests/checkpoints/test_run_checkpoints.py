"""Which checkpoint of a work folder a run goes on from."""

from pathlib import Path

import pytest
import torch

from mmttsrn.checkpoints.run_checkpoints import (
    check_optimizer_state,
    check_training_state,
    is_whole,
    latest_readable,
)
from mmttsrn.errors import UserInputError


def write(path: Path, whole: bool = True) -> None:
    torch.save({"state_dict": {"weight": torch.zeros(2000)}}, path)
    if not whole:
        path.write_bytes(path.read_bytes()[:4000])


def test_the_one_that_is_named_comes_first(tmp_path: Path) -> None:
    for step in (5, 10, 100):
        write(tmp_path / f"iter_{step}.pth")
    write(tmp_path / "iter_200.77.partial.pth")
    write(tmp_path / "best_AP_iter_300.pth")
    assert latest_readable(tmp_path) == (tmp_path / "iter_100.pth", [])
    texts = ("iter_5.pth", str(tmp_path / "iter_5.pth"), "/where/it/was/before/iter_5.pth")
    for text in texts:
        (tmp_path / "last_checkpoint").write_text(text)
        assert latest_readable(tmp_path) == (tmp_path / "iter_5.pth", [])


@pytest.mark.parametrize("pointer", ["iter_20.pth", "iter_30.pth", ""])
def test_one_that_cannot_be_read_is_passed_over(pointer: str, tmp_path: Path) -> None:
    write(tmp_path / "iter_10.pth")
    write(tmp_path / "iter_20.pth", whole=False)
    (tmp_path / "last_checkpoint").write_text(pointer)
    assert not is_whole(tmp_path / "iter_20.pth")
    assert is_whole(tmp_path / "iter_10.pth")
    path, problems = latest_readable(tmp_path)
    assert path == tmp_path / "iter_10.pth"
    assert any("iter_20.pth" in problem for problem in problems)


def test_nothing_there(tmp_path: Path) -> None:
    assert latest_readable(tmp_path) == (None, [])
    write(tmp_path / "epoch_1.pth", whole=False)
    with pytest.raises(UserInputError, match=r"epoch_1\.pth: not a checkpoint"):
        latest_readable(tmp_path)


WHOLE = dict(meta=dict(epoch=0, iter=7), message_hub={}, optimizer=dict(state={}), state_dict={})


NAN, INFINITE = torch.tensor([0.0, float("nan")]), torch.tensor(float("inf"))


def state_of(*sizes: int) -> dict:
    groups = [{"params": [torch.nn.Parameter(torch.zeros(2)) for _ in range(n)]} for n in sizes]
    return torch.optim.AdamW(groups).state_dict()


def test_state_that_holds_itself() -> None:
    """A pickle can."""
    state: dict = {"state": {0: [torch.zeros(2)]}, "param_groups": []}
    state["state"][0].append(state)
    check_training_state(WHOLE | {"optimizer": state}, "x.pth")
    state["state"] |= {1: NAN, 2: NAN}
    with pytest.raises(UserInputError, match=r"2 of its 3 tensors .* first optimizer\.state\.1;"):
        check_training_state(WHOLE | {"optimizer": state}, "x.pth")


def test_state_of_the_same_groups() -> None:
    check_optimizer_state(state_of(2, 1), state_of(2, 1), "x.pth")
    check_optimizer_state({"a": state_of(2)}, {"a": state_of(2)}, "x.pth")


@pytest.mark.parametrize(
    ("own", "given", "found"),
    [
        (state_of(2, 1), state_of(3), "its groups have [3] parameters, those of the optimizer"),
        (state_of(2, 1), state_of(1, 2), "its groups have [1, 2] parameters, those of"),
        (state_of(2), dict(state={}, param_groups=[{}]), "not the state of an optimizer"),
        (state_of(2), [1], "not the state of an optimizer"),
        ({"a": state_of(2), "b": state_of(1)}, {"a": state_of(2)}, "not the state of an optimizer"),
    ],
)
def test_state_of_another_optimizer(own: dict, given: dict, found: str) -> None:
    with pytest.raises(UserInputError) as error:
        check_optimizer_state(own, given, "x.pth")
    assert str(error.value).startswith(f"--resume x.pth: optimizer: {found}")
