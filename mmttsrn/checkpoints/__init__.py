"""Checkpoint files: reading them safely, converting, publishing and fetching them."""

from .loading import OVERRIDE_FLAG, load_checkpoint_file

__all__ = ["OVERRIDE_FLAG", "load_checkpoint_file"]
