"""Set-up of all tests. Modules beside this file hold what tests share and are imported by name."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from mmengine.runner import CheckpointLoader


@pytest.fixture(autouse=True)
def seed() -> None:
    """Draw the same random weights in a test whatever ran before it."""
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def host_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that fails goes on reading safely; the next test starts with MMEngine's table."""
    monkeypatch.setattr(CheckpointLoader, "_schemes", CheckpointLoader._schemes)


@pytest.fixture
def build_tiny() -> Callable[..., Any]:
    """Builds a tiny TTSRN in eval mode; arguments as of ``tiny_config``."""
    from tiny_ttsrn import tiny_config

    from mmttsrn.registry import MODELS

    def build(**changes: Any) -> Any:
        model = MODELS.build(tiny_config(**changes))
        model.init_weights()
        return model.eval()

    return build
