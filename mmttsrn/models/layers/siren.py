"""Sinusoidal representation layers."""

import math

import torch
from torch import Tensor, nn


class SineLayer(nn.Linear):
    """Linear layer followed by a sine: ``sin(w0 * (W x + b))``.

    Weight and bias start uniform in ``±sqrt(6 / fan_in) / w0``.

    Args:
        in_features: Size of the last axis of the input.
        out_features: Size of the last axis of the output.
        w0: Frequency that multiplies the whole pre-activation, bias included.

    Source: SIREN (NeurIPS 2020), section 3.2; TT-SRN uses w0 = 1 and no first layer.
    """

    def __init__(self, in_features: int, out_features: int, w0: float = 1.0) -> None:
        self.w0 = w0
        super().__init__(in_features, out_features)

    def reset_parameters(self) -> None:
        """Draw weight and bias anew."""
        bound = math.sqrt(6 / self.in_features) / self.w0
        nn.init.uniform_(self.weight, -bound, bound)
        nn.init.uniform_(self.bias, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., C_in) to (..., C_out), each value in [-1, 1]."""
        return torch.sin(self.w0 * super().forward(x))
