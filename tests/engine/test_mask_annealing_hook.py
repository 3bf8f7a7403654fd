"""The probabilities of masked attention over a training."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from mmttsrn.engine.hooks import MaskAnnealingHook


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Module()
        self.head.register_buffer("attn_mask_probs", torch.full((3,), 0.5))


@pytest.mark.parametrize(
    ("iteration", "expected"),
    [
        (0, [1, 1, 1]),
        (20, [1, 1, 1]),
        (30, [0.5**0.9, 1, 1]),
        (40, [0, 1, 1]),
        (65, [0, 0, 0.75**0.9]),
        (80, [0, 0, 0]),
        (99, [0, 0, 0]),
    ],
)
def test_blocks_do_without_masks_one_after_the_other(iteration: int, expected: list) -> None:
    for model in (Model(), nn.DataParallel(Model())):
        runner = SimpleNamespace(iter=iteration, max_iters=100, model=model)
        MaskAnnealingHook().before_train_iter(runner, 0)
        probabilities = next(model.buffers())
        torch.testing.assert_close(probabilities, torch.tensor(expected, dtype=torch.float))
