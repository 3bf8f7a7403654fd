"""Set-up of all tests. Modules beside this file hold what tests share and are imported by name."""

import pytest
import torch


@pytest.fixture(autouse=True)
def seed() -> None:
    """Draw the same random weights in a test whatever ran before it."""
    torch.manual_seed(0)
