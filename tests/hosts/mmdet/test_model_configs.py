"""The full-size models that the configs describe."""

import pytest
import torch
from mmengine.registry import MODELS, init_default_scope

from mmttsrn.apis.config_file import load_config

# Parameters of backbone and whole model.
CONFIGS = {
    "ttsrn_ytvis19": (23_546_752, 56_231_168),
    "ttsrn_twins-svt-b_ytvis19": (55_300_416, 88_115_392),
    "ttsrn_twins-svt-l_ytvis19": (98_244_352, 131_189_888),
    "vistr_r50_ytvis19": (23_508_032, 57_168_864),
    "vistr_r101_ytvis19": (42_500_160, 76_160_992),
}


@pytest.mark.parametrize("name", CONFIGS)
@torch.no_grad()
def test_model_has_its_size_and_runs(name: str) -> None:
    config = load_config(name)
    config.model.mask_head.deform_backend = "grid_sample"
    init_default_scope(config.default_scope)
    model = MODELS.build(config.model).eval()
    backbone, whole = (sum(p.numel() for p in m.parameters()) for m in (model.backbone, model))
    assert (backbone, whole) == CONFIGS[name]
    logits, boxes, masks = model(torch.rand(1, 2, 3, 64, 96), mode="tensor")
    assert logits.shape == (1, 2, 10, 41)
    assert boxes.shape == (1, 2, 10, 4)
    assert masks.shape == (1, 10, 2, 16, 24)


@pytest.mark.parametrize("name", CONFIGS)
def test_backbone_starts_from_a_public_source(name: str) -> None:
    init_cfg = load_config(name).model.backbone.init_cfg
    assert init_cfg.type == "mmttsrn.PretrainedWeights"
    assert init_cfg.url.startswith("https://")
    arch = {"ttsrn_ytvis19": "small", "vistr_r50_ytvis19": "resnet50"}.get(name)
    assert arch is None or arch in init_cfg.url


def test_vistr_freezes_what_the_reference_freezes() -> None:
    config = load_config("vistr_r50_ytvis19")
    init_default_scope(config.default_scope)
    backbone = MODELS.build(config.model.backbone)
    for name, parameter in backbone.named_parameters():
        norm = ".bn" in name or "downsample.1." in name
        trained = name.startswith(("layer2.", "layer3.", "layer4.")) and not norm
        assert parameter.requires_grad == trained, name


def test_vistr_pads_nothing() -> None:
    """Its ResNet takes frames of any size, and padding would change what it computes."""
    assert load_config("vistr_r50_ytvis19").model.data_preprocessor.pad_size_divisor == 1
