"""Backbones of timm: as they are where it imports, one line where it does not."""

import sys
from collections.abc import Callable
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from mmttsrn.errors import UserInputError
from mmttsrn.hosts.timm import TimmBackbone
from mmttsrn.models import SequenceModel

Builder = Callable[..., SequenceModel]


def with_timm() -> None:
    """Skip without a timm that imports: it needs a torchvision that fits PyTorch."""
    try:
        import timm  # noqa: F401
    except (ImportError, RuntimeError) as error:
        pytest.skip(f"timm does not import: {error}")


@pytest.mark.parametrize(
    "name", ["resnet10t", "mobilenetv3_small_050", "swin_tiny_patch4_window7_224"]
)
def test_maps_have_the_strides_and_channels_of_the_model(name: str) -> None:
    with_timm()
    options = dict(img_size=(64, 96)) if name.startswith("swin") else {}
    backbone = TimmBackbone(name, **options).eval()
    info = backbone.model.feature_info
    channels = dict(zip(info.reduction(), info.channels(), strict=True))
    maps = backbone(torch.rand(2, 3, 64, 96))
    assert [tuple(m.shape) for m in maps] == [
        (2, channels[stride], 64 // stride, 96 // stride) for stride in (4, 8, 16, 32)
    ]


def test_a_model_of_the_package_takes_it(build_tiny: Builder) -> None:
    with_timm()
    model = build_tiny(
        backbone=dict(type="mmttsrn.TimmBackbone", model_name="resnet10t", in_chans=3)
    )
    assert model.neck.in_channels == (64, 128, 256, 512)
    weight = next(model.backbone.parameters())
    before = weight.clone()
    model.init_weights()
    assert torch.equal(weight, before)  # as timm made it


def test_a_model_without_one_of_the_strides_is_refused() -> None:
    with_timm()
    with pytest.raises(UserInputError, match="none at 4") as error:
        TimmBackbone("vit_tiny_patch16_224")
    assert "\n" not in str(error.value)


def test_without_timm_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(UserInputError, match="pip install timm") as error:
        TimmBackbone("resnet10t")
    assert "\n" not in str(error.value)


class FakeModel(nn.Module):
    """Feature maps of strides 2 to 32 as timm gives them."""

    output_fmt = "NHWC"

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(3)
        self.feature_info = SimpleNamespace(reduction=lambda: [2, 4, 8, 16, 32])

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        x = self.norm(x)
        return [x[..., ::s, ::s].movedim(1, -1) for s in self.feature_info.reduction()]


def test_maps_are_taken_by_their_strides_and_norms_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where timm does not import."""
    calls = []

    def create_model(name: str, pretrained: bool, **options: object) -> nn.Module:
        calls.append((name, pretrained, options))
        model = FakeModel()
        nn.init.constant_(model.norm.weight, 7.0 if pretrained else 1.0)
        return model

    monkeypatch.setitem(sys.modules, "timm", SimpleNamespace(create_model=create_model))
    weights = dict(type="mmttsrn.TimmWeights")
    backbone = TimmBackbone("x", init_cfg=weights, drop_rate=0.5).train()
    backbone.init_weights()
    options = dict(features_only=True, drop_rate=0.5)
    assert calls == [("x", False, options), ("x", True, options)]
    assert (backbone.model.norm.weight == 7).all()
    maps = backbone(torch.rand(2, 3, 64, 96))
    assert [tuple(m.shape) for m in maps] == [
        (2, 3, 64 // stride, 96 // stride) for stride in (4, 8, 16, 32)
    ]
    assert not backbone.model.norm.running_mean.any()
    free = TimmBackbone("x", norm_eval=False).train()
    free(torch.rand(2, 3, 64, 96))
    assert free.model.norm.running_mean.all()
