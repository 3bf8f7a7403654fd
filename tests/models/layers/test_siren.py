import pytest
import torch
from golden import load_json

from mmttsrn.models import SineLayer

FACTS = load_json("siren/init_facts.json")
TT_SRN_CASES = [
    (case["fan_in"], case["fan_out"], case["weight_halfwidth"])
    for case in FACTS["tt_srn_layer"]["cases"]
]
PAPER_CASES = [
    (case["fan_in"], case["hidden_layer_weight_halfwidth"])
    for case in FACTS["siren_paper_and_code"]["cases"]
]


def assert_uniform(values: torch.Tensor, halfwidth: float) -> None:
    """Whether ``values`` may be draws from the uniform distribution in +-halfwidth."""
    largest = values.abs().max().item()
    assert largest <= halfwidth * (1 + 1e-5)
    # The largest of n draws is below 1 - 7 / n of the bound with probability exp(-7).
    assert largest >= halfwidth * (1 - 7 / values.numel())
    assert abs(values.mean().item()) < 4 * halfwidth / (3 * values.numel()) ** 0.5


@pytest.mark.parametrize(("fan_in", "fan_out", "halfwidth"), TT_SRN_CASES)
def test_initialisation_of_tt_srn(fan_in: int, fan_out: int, halfwidth: float) -> None:
    layer = SineLayer(fan_in, fan_out)
    assert_uniform(layer.weight, halfwidth)
    assert_uniform(layer.bias, halfwidth)


@pytest.mark.parametrize(("fan_in", "halfwidth"), PAPER_CASES)
def test_weight_initialisation_of_the_siren_paper(fan_in: int, halfwidth: float) -> None:
    layer = SineLayer(fan_in, 256, w0=FACTS["siren_paper_and_code"]["w0"])
    assert_uniform(layer.weight, halfwidth)


def test_frequency_multiplies_weight_and_bias() -> None:
    layer = SineLayer(3, 2, w0=30.0)
    x = torch.rand(4, 3)
    expected = torch.sin(30.0 * (x @ layer.weight.T + layer.bias))
    torch.testing.assert_close(layer(x), expected)
