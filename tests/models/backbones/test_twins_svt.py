import pytest
import torch
from golden import draw_arrays, load_arrays, load_json

from mmttsrn.models import TwinsSVT

GOLDEN_ARCH = dict(embed_dims=(32, 64, 128, 256), num_heads=(1, 2, 4, 8), depths=(2, 2, 4, 2))
TINY_ARCH = dict(embed_dims=(16, 32, 64, 128), num_heads=(1, 2, 4, 8), depths=(1, 1, 2, 1))
OFFICIAL = load_json("twins_svt/official_keys.json")["models"]


@pytest.mark.parametrize(
    ("case", "variant"),
    [("main", "pad"), ("odd", "pad"), ("div7", "pad"), ("main", "pad_extranorm")],
)
def test_maps_equal_the_reference(case: str, variant: str) -> None:
    model = TwinsSVT(arch=GOLDEN_ARCH, output_norm=variant == "pad_extranorm").eval()
    weights = draw_arrays("twins_svt/params.json")
    if model.norm_list is None:
        weights = {key: w for key, w in weights.items() if not key.startswith("norm_list.")}
    model.load_state_dict(weights)
    with torch.no_grad():
        maps = model(draw_arrays("twins_svt/params.json", "inputs")[f"input.{case}"])
    expected = load_arrays("twins_svt/expected.npz")
    for stage, feature_map in enumerate(maps, start=1):
        torch.testing.assert_close(
            feature_map, expected[f"{case}.{variant}.stage{stage}"], rtol=0, atol=5e-5
        )


@pytest.mark.parametrize("arch", ["small", "base", "large"])
def test_parameters_are_those_of_the_official_checkpoints(arch: str) -> None:
    with torch.device("meta"):
        model = TwinsSVT(arch=arch)
    official = {
        name: tuple(shape)
        for name, shape in OFFICIAL[arch]["keys"].items()
        if not name.startswith(("head.", "norm."))
    }
    assert {name: tuple(p.shape) for name, p in model.state_dict().items()} == official
    count = sum(p.numel() for p in model.parameters())
    assert count == OFFICIAL[arch]["parameters_without_head_and_final_norm"]


def test_out_indices_select_stages() -> None:
    model = TwinsSVT(arch=TINY_ARCH, out_indices=(1, 3)).eval()
    maps = model(torch.rand(2, 3, 64, 96))
    assert [m.shape for m in maps] == [(2, 32, 8, 12), (2, 128, 2, 3)]
    assert model.out_channels == [32, 128]


def test_frames_of_a_batch_do_not_see_each_other() -> None:
    model = TwinsSVT(arch=TINY_ARCH).eval()
    frames = torch.rand(3, 3, 64, 96)
    for batch_map, *frame_maps in zip(
        model(frames), *(model(f[None]) for f in frames), strict=True
    ):
        torch.testing.assert_close(batch_map, torch.cat(frame_maps), rtol=0, atol=1e-5)


def test_checkpointing_changes_no_gradient() -> None:
    plain = TwinsSVT(arch=TINY_ARCH).train()
    recomputing = TwinsSVT(arch=TINY_ARCH, with_cp=True).train()
    recomputing.load_state_dict(plain.state_dict())
    frames = torch.rand(2, 3, 64, 96)
    for model in (plain, recomputing):
        torch.manual_seed(1)  # The same stochastic depth.
        sum(m.square().mean() for m in model(frames)).backward()
    gradients = dict(recomputing.named_parameters())
    for name, parameter in plain.named_parameters():
        torch.testing.assert_close(parameter.grad, gradients[name].grad, msg=name)


@pytest.mark.parametrize("frozen_stages", [-1, 0, 2])
def test_frozen_stages_stay_fixed(frozen_stages: int) -> None:
    model = TwinsSVT(arch=TINY_ARCH, frozen_stages=frozen_stages, output_norm=True).train()
    sum(m.mean() for m in model(torch.rand(1, 3, 64, 96))).backward()
    for stage in range(4):
        parts = (
            model.patch_embeds[stage],
            model.pos_block[stage],
            model.blocks[stage],
            model.norm_list[stage],
        )
        for part in parts:
            frozen = stage <= frozen_stages
            assert all((p.grad is None) == frozen for p in part.parameters())
            assert all(module.training != frozen for module in part.modules())


def test_stochastic_depth_grows_with_depth() -> None:
    rates = [
        block.drop_path.drop_prob
        for stage in TwinsSVT(drop_path_rate=0.2).blocks
        for block in stage
    ]
    assert rates[0] == 0
    assert rates == sorted(rates)
    assert rates[-1] == pytest.approx(0.2)


@pytest.mark.parametrize(
    "change",
    [dict(depth=(1, 1, 1, 1)), dict(depths=(1, 1, 1)), dict(num_heads=(1, 2, 4, 8, 8))],
)
def test_a_wrong_arch_is_refused(change: dict) -> None:
    with pytest.raises((TypeError, ValueError), match=r"'depth'|shorter|longer"):
        TwinsSVT(arch={**TINY_ARCH, **change})
