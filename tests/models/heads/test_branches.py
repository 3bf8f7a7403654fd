import pytest
import torch
from golden import draw_arrays, load_arrays, load_json

from mmttsrn.models import MLPBranch, SineLayer, SirenBranch

FACTS = load_json("siren/init_facts.json")
CLASS_BRANCH = dict(in_channels=384, out_channels=42)
BBOX_BRANCH = dict(in_channels=384, out_channels=4, sine_channels=(128, 64), linear_channels=(32,))


@pytest.mark.parametrize(
    ("settings", "prefix", "outputs"),
    [
        (CLASS_BRANCH, "class_embed.", {0: "class_hidden_sine1", 4: "logits"}),
        (
            BBOX_BRANCH,
            "bbox_embed.",
            {0: "bbox_hidden_sine1", 2: "bbox_hidden_sine2", 6: "boxes_before_sigmoid"},
        ),
    ],
)
def test_siren_branch_equals_the_reference(settings: dict, prefix: str, outputs: dict) -> None:
    branch = SirenBranch(**settings).eval()
    weights = draw_arrays("siren/params.json")
    branch.load_state_dict(
        {key.removeprefix(prefix): w for key, w in weights.items() if key.startswith(prefix)}
    )
    seen = {}
    for index in outputs:
        branch.net[index].register_forward_hook(
            lambda module, args, output, index=index: seen.update({index: output})
        )
    result = branch(draw_arrays("siren/params.json", "inputs")["input.x"])
    expected = load_arrays("siren/expected.npz")
    for index, name in outputs.items():
        torch.testing.assert_close(seen[index], expected[name], rtol=0, atol=2e-5)
    assert torch.equal(result, seen[max(outputs)])


@pytest.mark.parametrize(
    ("settings", "count"),
    [
        (CLASS_BRANCH, FACTS["param_counts"]["class_head_42_outputs"]),
        (BBOX_BRANCH, FACTS["param_counts"]["box_head"]),
    ],
)
def test_parameter_count(settings: dict, count: int) -> None:
    assert sum(p.numel() for p in SirenBranch(**settings).parameters()) == count


def test_initialisation_survives_init_weights() -> None:
    branch = SirenBranch(**BBOX_BRANCH)
    branch.init_weights()
    bounds = [
        *(case["weight_halfwidth"] for case in FACTS["tt_srn_layer"]["cases"]),
        *(
            c["halfwidth"]
            for c in FACTS["tt_srn_other_linear_layers"]["cases"]
            if "box" in c["where"]
        ),
    ]
    linear = [module for module in branch.net if isinstance(module, torch.nn.Linear)]
    assert [isinstance(module, SineLayer) for module in linear] == [True, True, False, False]
    for module, bound in zip(linear, bounds, strict=True):
        for parameter in (module.weight, module.bias):
            assert parameter.abs().max() <= bound * (1 + 1e-5)
        assert module.weight.abs().max() > 0.9 * bound


def test_dropout_follows_every_sine_layer() -> None:
    branch = SirenBranch(**BBOX_BRANCH, dropout=0.5)
    assert [m.p for m in branch.net if isinstance(m, torch.nn.Dropout)] == [0.5, 0.5]
    x = torch.rand(8, 384)
    assert not torch.equal(branch.train()(x), branch(x))
    assert torch.equal(branch.eval()(x), branch(x))


def test_mlp_branch_without_hidden_channels_is_one_linear_layer() -> None:
    branch = MLPBranch(6, 3)
    x = torch.rand(2, 6)
    torch.testing.assert_close(branch(x), branch.layers[0](x))
    assert len(branch.layers) == 1


def test_mlp_branch_activates_between_layers_only() -> None:
    branch = MLPBranch(6, 3, hidden_channels=(5, 4))
    x = torch.randn(7, 6)
    first, second, last = branch.layers
    torch.testing.assert_close(branch(x), last(second(first(x).relu()).relu()))
