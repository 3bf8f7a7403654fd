"""A loss that is not finite: no update of the weights, the clips named, the step repeatable."""

from pathlib import Path

import pytest
import torch
from mmengine.hooks import Hook
from test_exact_resume import Regression, build

from mmttsrn.engine.hooks import FiniteLossHook
from mmttsrn.errors import DivergedError


class BadStep(Hook):
    """Makes the loss of one step infinite."""

    def __init__(self, *steps: int) -> None:
        self.steps = steps

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        if runner.iter + 1 in self.steps:
            data_batch["x"].fill_(float("inf"))


def weights(model: Regression) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def test_training_ends_before_the_weights_take_it(tmp_path: Path) -> None:
    runner = build(tmp_path / "run", "iterations", 0, [BadStep(4), FiniteLossHook()])
    with pytest.raises(DivergedError, match=r"step 4: the loss is (nan|inf)"):
        runner.train()
    assert runner.iter == 3
    assert weights(runner.model).isfinite().all()


def test_some_steps_may_be_left_out(tmp_path: Path) -> None:
    hook = FiniteLossHook(max_skipped=2)
    runner = build(tmp_path / "run", "iterations", 0, [BadStep(2, 7), hook])
    runner.train()
    assert hook.skipped == 2
    assert weights(runner.model).isfinite().all()
    runner = build(tmp_path / "more", "iterations", 0, [BadStep(2, 7, 9), FiniteLossHook(2)])
    with pytest.raises(DivergedError, match="step 9"):
        runner.train()
