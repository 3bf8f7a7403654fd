"""What takes part in the training and test loops of the runner."""

from . import hooks

__all__ = ["hooks"]
