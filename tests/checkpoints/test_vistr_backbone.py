"""The ResNet of VisTR (torchvision's, with frozen batch norm) and ours with its weights."""

import pytest
import torch
import torch.nn.functional as F
from foreign_checkpoints import RESNET_BLOCKS, vistr_state
from mmengine.registry import MODELS, init_default_scope
from torch import Tensor

from mmttsrn.apis.building import state_without_values
from mmttsrn.apis.config_file import load_config
from mmttsrn.checkpoints.conversion import convert

PREFIX = "vistr.backbone.0.body."


class FunctionalResNet:
    """The forward pass by the reference's parameter names."""

    def __init__(self, state: dict[str, Tensor], depth: int) -> None:
        self.state = state
        self.blocks = RESNET_BLOCKS[depth]

    def __call__(self, x: Tensor) -> list[Tensor]:
        """Maps at strides 4, 8, 16, 32 of frames (B, 3, H, W)."""
        x = self.conv_norm(x, "conv1", "bn1", stride=2, padding=3).relu()
        x = F.max_pool2d(x, 3, stride=2, padding=1)
        maps = []
        for stage, count in enumerate(self.blocks, start=1):
            for i in range(count):
                x = self.bottleneck(x, f"layer{stage}.{i}.", 2 if i == 0 and stage > 1 else 1)
            maps.append(x)
        return maps

    def bottleneck(self, x: Tensor, name: str, stride: int) -> Tensor:
        y = self.conv_norm(x, f"{name}conv1", f"{name}bn1").relu()
        y = self.conv_norm(y, f"{name}conv2", f"{name}bn2", stride, padding=1).relu()
        y = self.conv_norm(y, f"{name}conv3", f"{name}bn3")
        if f"{PREFIX}{name}downsample.0.weight" in self.state:
            x = self.conv_norm(x, f"{name}downsample.0", f"{name}downsample.1", stride)
        return (x + y).relu()

    def conv_norm(
        self, x: Tensor, conv: str, norm: str, stride: int = 1, padding: int = 0
    ) -> Tensor:
        x = F.conv2d(x, self.state[f"{PREFIX}{conv}.weight"], stride=stride, padding=padding)
        weight, bias, mean, var = (
            self.state[f"{PREFIX}{norm}.{kind}"].view(-1, 1, 1)
            for kind in ("weight", "bias", "running_mean", "running_var")
        )
        return (x - mean) * (var + 1e-5).rsqrt() * weight + bias


@pytest.mark.parametrize("depth", RESNET_BLOCKS)
@torch.no_grad()
def test_maps_equal_the_reference(depth: int) -> None:
    config = load_config(f"vistr_r{depth}_ytvis19")
    source = vistr_state(depth, ffn=8, layers=1)
    # Residual branches at a third, so that 33 blocks do not blow the values up.
    for name in source:
        if name.endswith("bn3.weight"):
            source[name] /= 3
    state = convert(source, "vistr", state_without_values(config), "x.pth").state
    init_default_scope("mmdet")
    backbone = MODELS.build(config.model.backbone)
    backbone.train()  # batch norms stay frozen
    backbone.load_state_dict(
        {
            name.removeprefix("backbone."): tensor
            for name, tensor in state.items()
            if name.startswith("backbone.")
        }
    )
    frames = torch.randn(2, 3, 75, 131, generator=torch.Generator().manual_seed(0))
    expected = FunctionalResNet(source, depth)(frames)
    for ours, theirs in zip(backbone(frames), expected, strict=True):
        assert 0.1 < theirs.std() < 10
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
