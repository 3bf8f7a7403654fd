"""Fixtures of the model tests. Modules beside this file are imported by name."""

from collections.abc import Callable
from typing import Any

import pytest
from tiny_ttsrn import tiny_config

from mmttsrn.models import TTSRN
from mmttsrn.registry import MODELS


@pytest.fixture
def build_tiny() -> Callable[..., TTSRN]:
    """Builds a tiny TTSRN in eval mode; arguments as of ``tiny_config``."""

    def build(**changes: Any) -> TTSRN:
        model = MODELS.build(tiny_config(**changes))
        model.init_weights()
        return model.eval()

    return build
