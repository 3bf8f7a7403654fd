"""Neck, head and mask head together against the references' transformer and mask head."""

from typing import Any

import pytest
import torch
from golden import draw_arrays
from reference_names import our_name
from tiny_ttsrn import PAPER
from torch import Tensor, nn
from vistr_head_outputs import (
    CASES,
    CHANNELS,
    TOLERANCES,
    Q,
    T,
    compute_outputs,
    expected_output,
    load_expected,
)

from mmttsrn.models import InstanceSequenceHead, SequenceMaskHead, SpatioTemporalEncoder

LAYERS = dict(num_layers=2, ffn_channels=128)
# Per variant: the name of the inner model, the activation, the branches.
VARIANTS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "vistr": (
        "vistr",
        "ReLU",
        dict(
            cls_branch=dict(type="mmttsrn.MLPBranch"),
            bbox_branch=dict(type="mmttsrn.MLPBranch", hidden_channels=(384, 384)),
        ),
    ),
    "ttsrn": (
        "ttspn",
        "GELU",
        {key: PAPER["head"][key] for key in ("cls_branch", "bbox_branch")},
    ),
}


class VisTRHead(nn.Module):
    """Everything after the backbone."""

    def __init__(self, act: str, branches: dict[str, Any], deform_backend: str) -> None:
        super().__init__()
        act_cfg = dict(type=act)
        self.neck = SpatioTemporalEncoder(
            CHANNELS, PAPER["neck"]["positional_encoding"], act_cfg=act_cfg, **LAYERS
        )
        self.head = InstanceSequenceHead(
            41, num_frames=T, num_instances=Q, act_cfg=act_cfg, **LAYERS, **branches
        )
        self.mask_head = SequenceMaskHead(
            fine_channels=CHANNELS[:3], act_cfg=act_cfg, deform_backend=deform_backend
        )


@pytest.fixture(scope="module")
def outputs() -> dict[str, dict[str, Tensor]]:
    """Our outputs, by ``<variant>.<nopad|pad>``."""
    results = {}
    for variant, (inner_name, act, branches) in VARIANTS.items():
        # Each variant with another of the deformable convolution's backends.
        backend = "mmcv" if variant == "ttsrn" else "grid_sample"
        model = VisTRHead(act, branches, backend).eval()
        weights = draw_arrays(f"vistr_head/params_{variant}.json")
        model.load_state_dict({our_name(name, inner_name): w for name, w in weights.items()})
        for case in CASES:
            results[f"{variant}.{case}"] = compute_outputs(model, variant, case)
    return results


@pytest.fixture(scope="module")
def expected() -> dict[str, Tensor]:
    """The references' outputs."""
    return load_expected()


@pytest.mark.parametrize("name", TOLERANCES)
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("variant", VARIANTS)
def test_outputs_equal_the_reference(
    outputs: dict, expected: dict, variant: str, case: str, name: str
) -> None:
    torch.testing.assert_close(
        outputs[f"{variant}.{case}"][name],
        expected_output(expected, variant, case, name),
        rtol=0,
        atol=TOLERANCES[name],
    )
