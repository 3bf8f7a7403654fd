"""Parameters and FLOPs."""

import pytest
import torch
from mmcv.ops import DeformConv2d
from torch import nn

from mmttsrn.apis.building import build_from_config
from mmttsrn.apis.complexity import count_complexity, flop_analyzer
from mmttsrn.apis.config_file import load_config
from mmttsrn.errors import UserInputError
from mmttsrn.models.layers import TransformerEncoderLayer


def count(module: nn.Module, *inputs: torch.Tensor):
    with torch.no_grad():
        return flop_analyzer(module, *inputs).by_operator()


class Deform(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = DeformConv2d(6, 4, 3, padding=1)

    def forward(self, x, offset):
        return self.conv(x, offset)


def test_deformable_convolution_by_hand():
    """2 maps of 5 x 7 cells, 6 channels to 4, 9 taps."""
    x, offset = torch.zeros(2, 6, 5, 7), torch.zeros(2, 18, 5, 7)
    cells = 2 * 5 * 7
    products = cells * 9 * 6 * 4
    sampling = cells * 9 * 6 * 4  # four neighbours for each tap and input channel
    assert count(Deform(), x, offset) == {"deform_conv": products + sampling}


def test_attention_layer_by_hand():
    """2 clips of 10 tokens of width 12 in 3 heads, feed-forward width 20."""
    layer = TransformerEncoderLayer(12, 3, 20, 0.1, dict(type="GELU"))
    x = torch.zeros(2, 10, 12)
    mask = torch.zeros(2, 10, dtype=torch.bool)
    flops = count(layer, x, torch.zeros_like(x), mask)
    tokens = 2 * 10
    assert flops["attention"] == 2 * (tokens * 10 * 12)  # q k^T and weights times values
    assert flops["linear"] == tokens * (4 * 12 * 12 + 2 * 12 * 20)
    assert flops["layer_norm"] == 2 * 5 * tokens * 12
    assert set(flops) == {"attention", "linear", "layer_norm"}


def tiny(**options):
    cfg = load_config("ttsrn_tiny_shapes")
    cfg.model.mask_head.deform_backend = "mmcv"
    cfg.model.update(options)
    return build_from_config(cfg)


def test_parts_add_up():
    complexity = count_complexity(tiny(), (4, 64, 96))
    for counts in (complexity.parameters, complexity.flops):
        assert set(counts) == {"backbone", "neck", "head", "mask_head", "total"}
        assert sum(counts.values()) == 2 * counts["total"]
    assert sum(complexity.operators.values()) == complexity.flops["total"]
    assert {"attention", "deform_conv", "conv"} <= set(complexity.operators)


def test_box_only_model_lacks_the_mask_head():
    complexity, full = (
        count_complexity(m, (4, 64, 96)) for m in (tiny(mask_head=None, criterion=None), tiny())
    )
    assert "mask_head" not in complexity.flops
    assert complexity.flops["total"] == full.flops["total"] - full.flops["mask_head"]


def test_more_frames_than_the_model_takes():
    with pytest.raises(UserInputError, match="clips of up to 4 frames"):
        count_complexity(tiny(), (5, 64, 96))
