"""Prediction branches: what maps a decoder state to class logits or box coordinates."""

from collections.abc import Sequence
from itertools import pairwise

from mmcv.cnn import build_activation_layer
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmttsrn.models.layers import SineLayer
from mmttsrn.registry import MODELS


@MODELS.register_module()
class SirenBranch(BaseModule):
    """Sinusoidal network: sine layers with dropout, then linear layers with GELU between them.

    Args:
        in_channels: Channels of a decoder state.
        out_channels: Size of the prediction.
        sine_channels: Widths of the sine layers.
        linear_channels: Widths of the hidden linear layers.
        w0: Frequency of the sine layers.
        dropout: Dropout probability after each sine layer.
        init_cfg: MMEngine initialisation.

    Source: TT-SRN (2021), section 3; behaviour of its released layers.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        sine_channels: Sequence[int] = (128,),
        linear_channels: Sequence[int] = (64,),
        w0: float = 1.0,
        dropout: float = 0.2,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        layers: list[nn.Module] = []
        for width in sine_channels:
            layers += [SineLayer(in_channels, width, w0=w0), nn.Dropout(dropout)]
            in_channels = width
        for width in linear_channels:
            layers += [nn.Linear(in_channels, width), nn.GELU()]
            in_channels = width
        self.net = nn.Sequential(*layers, nn.Linear(in_channels, out_channels))

    def forward(self, x: Tensor) -> Tensor:
        """Map decoder states (..., C_in) to predictions (..., C_out)."""
        return self.net(x)


@MODELS.register_module()
class MLPBranch(BaseModule):
    """Linear layers with an activation between them; one linear layer without ``hidden_channels``.

    Args:
        in_channels: Channels of a decoder state.
        out_channels: Size of the prediction.
        hidden_channels: Widths of the hidden layers.
        act_cfg: Activation between layers.
        init_cfg: MMEngine initialisation.

    Source: VisTR (CVPR 2021): a linear class head and a box head with two hidden layers.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        hidden_channels: Sequence[int] = (),
        act_cfg: dict | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        widths = [in_channels, *hidden_channels, out_channels]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))
        self.activation = build_activation_layer(act_cfg or dict(type="ReLU"))

    def forward(self, x: Tensor) -> Tensor:
        """Map decoder states (..., C_in) to predictions (..., C_out)."""
        for layer in self.layers[:-1]:
            x = self.activation(layer(x))
        return self.layers[-1](x)
