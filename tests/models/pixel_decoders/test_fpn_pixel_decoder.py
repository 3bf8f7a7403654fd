import pytest
import torch
from torch import Tensor

from mmttsrn.models import FPNPixelDecoder
from mmttsrn.structures import ClipFeatures

N, T, WIDTHS, MEMORY, SIZE = 2, 3, (8, 16, 24), 32, (64, 96)


def build(**changes: object) -> FPNPixelDecoder:
    settings: dict = dict(
        in_channels=[*WIDTHS, MEMORY], channels=[24, 16, 8], num_blocks=[1, 0, 2], out_channels=5
    )
    return FPNPixelDecoder(**{**settings, **changes}).eval()


def maps_of(frames: int = T) -> list[Tensor]:
    """Random maps of strides 4 to 32."""
    strides = (4, 8, 16, 32)
    return [
        torch.randn(N, frames, channels, SIZE[0] // stride, SIZE[1] // stride)
        for channels, stride in zip((*WIDTHS, MEMORY), strides, strict=True)
    ]


def features_of(maps: list[Tensor]) -> ClipFeatures:
    memory = maps[-1].permute(0, 1, 3, 4, 2)
    return ClipFeatures(memory, None, torch.zeros(memory.shape[:-1]).bool(), tuple(maps[:-1]))


def outputs(features: ClipFeatures) -> list[Tensor]:
    assert features.mask_features is not None
    return [*features.levels, features.mask_features]


def test_levels_come_from_the_coarsest_on_and_mask_features_have_stride_4() -> None:
    features = features_of(maps_of())
    decoded = build()(features)
    shapes = [(N, T, 32, 2, 3), (N, T, 24, 4, 6), (N, T, 16, 8, 12), (N, T, 5, 16, 24)]
    assert [m.shape for m in outputs(decoded)] == shapes
    assert torch.equal(decoded.levels[0], features.maps[-1])
    assert decoded.memory is features.memory
    assert decoded.padding_mask is features.padding_mask


def test_what_the_memory_knows_reaches_all_finer_maps() -> None:
    decoder, maps = build(), maps_of()
    before = outputs(decoder(features_of(maps)))
    maps[-1] = maps[-1] + torch.randn_like(maps[-1])
    after = outputs(decoder(features_of(maps)))
    assert not any(torch.allclose(a, b) for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize("finer", [0, 1, 2])
def test_a_finer_map_changes_its_level_and_those_below(finer: int) -> None:
    decoder, maps = build(), maps_of()
    before = outputs(decoder(features_of(maps)))
    maps[finer] = maps[finer] + torch.randn_like(maps[finer])
    after = outputs(decoder(features_of(maps)))
    same = [torch.equal(a, b) for a, b in zip(before, after, strict=True)]
    assert same == [level < 3 - finer for level in range(4)]


def test_frames_do_not_see_each_other() -> None:
    decoder, maps = build(), maps_of()
    before = outputs(decoder(features_of(maps)))
    changed = [m.clone() for m in maps]
    for m in changed:
        m[1, 2] = torch.randn_like(m[1, 2])
    for a, b in zip(before, outputs(decoder(features_of(changed))), strict=True):
        different = (a != b).flatten(2).any(2)
        assert different.nonzero().tolist() == [[1, 2]]


def test_every_parameter_takes_part() -> None:
    decoder = build()
    decoder(features_of(maps_of())).mask_features.square().sum().backward()
    for name, parameter in decoder.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.any(), name
