"""Checkpoint files: reading them safely, converting, publishing and fetching them."""

from .loading import OVERRIDE_FLAG, load_checkpoint_file
from .pretrained import PretrainedWeights

__all__ = ["OVERRIDE_FLAG", "PretrainedWeights", "load_checkpoint_file"]
