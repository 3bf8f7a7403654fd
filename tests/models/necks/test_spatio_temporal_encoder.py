import pytest
import torch

from mmttsrn.models import SpatioTemporalEncoder
from mmttsrn.structures import ClipFeatures

CHANNELS = (4, 8, 16)
POSITIONS = dict(type="mmttsrn.SinePositionEncoding3D")


def build(**changes) -> SpatioTemporalEncoder:
    settings = dict(embed_dims=12, num_layers=2, num_heads=2, ffn_channels=16)
    neck = SpatioTemporalEncoder(CHANNELS, POSITIONS, **{**settings, **changes})
    neck.init_weights()
    return neck.eval()


def random_maps(n: int = 2, t: int = 3) -> list[torch.Tensor]:
    """Maps of frames of 64x96 pixels at strides 8, 16 and 32."""
    return [torch.randn(n, t, c, 16 >> i, 24 >> i) for i, c in enumerate(CHANNELS, start=1)]


def padding_of(height: int, width: int, n: int = 2, t: int = 3) -> torch.Tensor:
    """Padding of frames of 64x96 pixels where only (height, width) are real, in the first clip."""
    padding = torch.zeros(n, t, 64, 96, dtype=torch.bool)
    padding[0, :, height:] = True
    padding[0, :, :, width:] = True
    return padding


def test_shapes() -> None:
    maps = random_maps()
    features = build()(maps, padding_of(32, 64))
    assert isinstance(features, ClipFeatures)
    assert features.memory.shape == features.positions.shape == (2, 3, 2, 3, 12)
    assert all(a is b for a, b in zip(features.fine_maps, maps[:2], strict=True))
    expected = torch.zeros(2, 3, 2, 3, dtype=torch.bool)
    expected[0, :, 1:] = expected[0, :, :, 2:] = True
    assert torch.equal(features.padding_mask, expected)
    assert torch.equal(features.key_padding_mask, expected.flatten(1))


def test_a_cell_is_padding_when_its_first_pixel_is() -> None:
    mask = build()(random_maps(), padding_of(33, 64)).padding_mask
    assert not mask[0, :, 1, :2].any()


def test_no_padding_needs_no_attention_mask() -> None:
    features = build()(random_maps(), padding_of(64, 96))
    assert features.key_padding_mask is None


def test_garbage_in_padded_cells_does_not_reach_memory() -> None:
    neck, padding, maps = build(), padding_of(32, 64), random_maps()
    clean = neck(maps, padding)
    garbage = [m.clone() for m in maps]
    garbage[-1].permute(0, 1, 3, 4, 2)[clean.padding_mask] = 1e4
    dirty = neck(garbage, padding)
    real = ~clean.padding_mask
    assert torch.equal(clean.memory[real], dirty.memory[real])
    assert torch.equal(clean.positions, dirty.positions)


def test_clips_of_a_batch_do_not_see_each_other() -> None:
    neck, padding, maps = build(), padding_of(32, 64), random_maps()
    together = neck(maps, padding)
    for i in range(2):
        alone = neck([m[i : i + 1] for m in maps], padding[i : i + 1])
        real = ~alone.padding_mask[0]
        torch.testing.assert_close(together.memory[i][real], alone.memory[0][real])


def test_every_frame_sees_the_others() -> None:
    neck, padding, maps = build(), padding_of(64, 96), random_maps(n=2)
    before = neck(maps, padding).memory
    maps[-1][:, 2] += 1
    after = neck(maps, padding).memory
    assert (before[:, 0] - after[:, 0]).abs().amax() > 1e-3


def test_checkpointing_changes_no_gradient() -> None:
    plain, recomputing = build().train(), build(with_cp=True).train()
    recomputing.load_state_dict(plain.state_dict())
    maps, padding = random_maps(), padding_of(32, 64)
    for neck in (plain, recomputing):
        torch.manual_seed(1)  # The same dropout.
        neck(maps, padding).memory.square().sum().backward()
    gradients = dict(recomputing.named_parameters())
    for name, parameter in plain.named_parameters():
        torch.testing.assert_close(parameter.grad, gradients[name].grad, msg=name)


def test_pretrained_weights_survive_init_weights(tmp_path) -> None:
    source = build()
    for parameter in source.parameters():
        torch.nn.init.normal_(parameter)
    path = tmp_path / "neck.pt"
    torch.save(source.state_dict(), path)
    neck = build(init_cfg=dict(type="Pretrained", checkpoint=str(path)))
    for name, parameter in source.state_dict().items():
        assert torch.equal(neck.state_dict()[name], parameter), name


def test_initialisation_is_that_of_detr() -> None:
    neck = build(embed_dims=48)
    in_proj = neck.layers[0].self_attn.in_proj_weight
    bound = (6 / sum(in_proj.shape)) ** 0.5
    assert 0.95 * bound < in_proj.abs().max() <= bound
    assert not neck.layers[0].self_attn.in_proj_bias.any()


def test_maps_of_other_channels_are_named() -> None:
    maps = random_maps()
    maps[1] = maps[1][:, :, :5]
    with pytest.raises(ValueError, match=r"the backbone gives \(4, 5, 16\)"):
        build()(maps, padding_of(64, 96))
