"""Predictions of all decoder layers in one tensor each."""

from collections.abc import Sequence
from types import SimpleNamespace

import torch

from mmttsrn.structures import SequencePredictions


def stacked(layers: Sequence[SequencePredictions]) -> SimpleNamespace:
    """States, logits and boxes with the layers in front: (L, N, T, Q, ...)."""
    names = ("states", "logits", "boxes")
    tensors = {name: torch.stack([getattr(layer, name) for layer in layers]) for name in names}
    return SimpleNamespace(**tensors)
