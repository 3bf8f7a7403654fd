"""Parameters and multiply-adds."""

import pytest
from mmengine.model import BaseModel

from mmttsrn.apis.building import build_from_config
from mmttsrn.apis.complexity import count_complexity
from mmttsrn.apis.config_file import load_config
from mmttsrn.errors import UserInputError
from mmttsrn.models.mask_heads.deform_conv import OffsetDeformConv2d


def tiny(name: str = "ttsrn_tiny_shapes", **options: object) -> BaseModel:
    cfg = load_config(name)
    cfg.model.update(options)
    return build_from_config(cfg)


def test_neck_by_hand():
    """Clips of 4 frames of 3 x 2 tokens at stride 32; 4 heads are one product of all channels."""
    model = tiny()
    neck, tokens = model.neck, 4 * 3 * 2
    c_in, c = neck.input_proj.in_channels, neck.input_proj.out_channels
    hidden = neck.layers[0].linear1.out_features
    layer = tokens * (4 * c * c + 2 * c * hidden) + 2 * tokens * tokens * c
    expected = tokens * c_in * c + len(neck.layers) * layer
    assert count_complexity(model, (4, 96, 64)).flops["neck"] == expected


@pytest.mark.parametrize("backend", ["mmcv", "grid_sample"])
def test_deformable_convolution_is_counted_with_any_backend(backend):
    model = tiny()
    [layer] = [m for m in model.modules() if isinstance(m, OffsetDeformConv2d)]
    layer.backend = backend
    weights = layer.dcn.weight.numel() + layer.conv_offset.weight.numel()
    whole = count_complexity(model, (4, 64, 96)).flops["mask_head"]
    layer.forward = lambda x: x
    rest = count_complexity(model, (4, 64, 96)).flops["mask_head"]
    assert whole - rest == 4 * model.head.num_instances * 16 * 24 * weights


@pytest.mark.parametrize("name", ["ttsrn_tiny_shapes", "ttsrn-m2f_tiny_shapes"])
def test_parts_add_up(name):
    complexity = count_complexity(tiny(name), (4, 64, 96))
    for counts in (complexity.parameters, complexity.flops):
        assert sum(counts.values()) == 2 * counts["total"]
    assert sum(complexity.operators.values()) == complexity.flops["total"]
    assert {"aten.bmm", "aten.convolution"} <= set(complexity.operators)


def test_box_only_model_lacks_the_mask_head():
    complexity, full = (
        count_complexity(m, (4, 64, 96)) for m in (tiny(mask_head=None, criterion=None), tiny())
    )
    assert "mask_head" not in complexity.flops
    assert complexity.flops["total"] == full.flops["total"] - full.flops["mask_head"]


def test_more_frames_than_the_model_takes():
    with pytest.raises(UserInputError, match="5 frames"):
        count_complexity(tiny(), (5, 64, 96))
