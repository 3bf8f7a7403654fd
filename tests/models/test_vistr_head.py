"""Neck, head and mask head together against the references' transformer and mask head."""

from typing import Any

import pytest
import torch
from golden import draw_arrays, load_arrays
from reference_names import our_name
from torch import Tensor, nn

from mmttsrn.models import InstanceSequenceHead, SequenceMaskHead, SpatioTemporalEncoder

T, Q = 4, 10
CHANNELS = (256, 512, 1024, 2048)
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
    "ttsrn": ("ttspn", "GELU", {}),
}
TOLERANCES = {
    "pos": 1e-5,
    "memory": 2e-5,
    "decoder_states": 2e-5,
    "logits": 4e-5,
    "boxes": 5e-6,
    "bbox_attention": 1e-5,
    "dcn_offset_frame0_inst0": 2e-5,
    "mask_feat_frame0_inst0": 6e-5,
    "masks": 3e-4,
}


class VisTRHead(nn.Module):
    """Everything after the backbone."""

    def __init__(self, act: str, branches: dict[str, Any], deform_backend: str) -> None:
        super().__init__()
        act_cfg = dict(type=act)
        self.neck = SpatioTemporalEncoder(CHANNELS, act_cfg=act_cfg, **LAYERS)
        self.head = InstanceSequenceHead(
            41, num_frames=T, num_instances=Q, act_cfg=act_cfg, **LAYERS, **branches
        )
        self.mask_head = SequenceMaskHead(
            fine_channels=CHANNELS[:3], act_cfg=act_cfg, deform_backend=deform_backend
        )

    def forward(self, maps: list[Tensor], padding_mask: Tensor) -> dict[str, Tensor]:
        """Outputs by their reference names, in our axis order, without the clip axis."""
        features = self.neck(maps, padding_mask)
        predictions = self.head(features)
        states = predictions.states[-1]
        offsets: list[Tensor] = []
        offset_conv = self.mask_head.fpn.deform_conv.conv_offset
        hook = offset_conv.register_forward_hook(lambda *args: offsets.append(args[-1]))
        masks = self.mask_head(features, states)
        hook.remove()
        memory = features.memory.permute(0, 1, 4, 2, 3).flatten(0, 1)
        terms = self.mask_head.fpn.frame_terms(memory, [m.flatten(0, 1) for m in maps[:3]])
        keys = self.mask_head.box_attention.keys(features.memory)
        first_instance = torch.tensor([[0, 0]])
        mask_features = self.mask_head.mask_features(
            first_instance,
            states,
            keys,
            features.padding_mask,
            *(term.unflatten(0, (1, T)) for term in terms),
        )
        per_instance = [x.expand(Q, *x.shape[1:]) for x in (keys, features.padding_mask)]
        attention = self.mask_head.box_attention(states[0].transpose(0, 1), *per_instance)
        return {
            "pos": features.positions[0],  # T, h, w, C
            "memory": features.memory[0],  # T, h, w, C
            "decoder_states": predictions.states[:, 0],  # L, T, Q, C
            "logits": predictions.logits[:, 0],  # L, T, Q, K+1
            "boxes": predictions.boxes[:, 0],  # L, T, Q, 4
            "bbox_attention": attention,  # Q, T, heads, h, w
            "dcn_offset_frame0_inst0": offsets[0][0],  # 18, H, W
            "mask_feat_frame0_inst0": mask_features[0, 0],  # C, H, W
            "masks": masks,  # Q, T, H, W
        }


@pytest.fixture(scope="module")
def outputs() -> dict[str, dict[str, Tensor]]:
    """Our outputs, by ``<variant>.<nopad|pad>``."""
    results = {}
    for variant, (inner_name, act, branches) in VARIANTS.items():
        recipe = f"vistr_head/params_{variant}.json"
        # Each variant with another of the deformable convolution's backends.
        backend = "mmcv" if variant == "ttsrn" else "grid_sample"
        model = VisTRHead(act, branches, backend).eval()
        weights = {our_name(k, inner_name): w for k, w in draw_arrays(recipe).items()}
        model.load_state_dict(weights)
        inputs = draw_arrays(recipe, "inputs")
        maps = [inputs[f"input.feat{stride}"][None] for stride in (4, 8, 16, 32)]
        for case in ("nopad", "pad"):
            padding_mask = torch.zeros(1, T, 96, 160, dtype=torch.bool)
            if case == "pad":
                padding_mask[:, :, -32:] = padding_mask[..., -32:] = True
            with torch.no_grad():
                results[f"{variant}.{case}"] = model(maps, padding_mask)
    return results


@pytest.fixture(scope="module")
def expected() -> dict[str, Tensor]:
    """The references' outputs in our axis order, by ``<variant>.<nopad|pad>.<name>``."""
    arrays = load_arrays("vistr_head/expected.npz")
    for key, array in arrays.items():
        name = key.rsplit(".", 1)[1]
        if name == "pos":
            arrays[key] = array.permute(0, 2, 3, 1)
        elif name == "memory":
            arrays[key] = array.permute(1, 2, 3, 0)
        elif name in ("decoder_states", "logits", "boxes"):
            arrays[key] = array.unflatten(1, (T, Q))
        elif name == "masks":
            arrays[key] = array.unflatten(0, (T, Q)).transpose(0, 1)
        elif name == "bbox_attention":
            arrays[key] = array.transpose(0, 1)
    return arrays


@pytest.mark.parametrize("name", TOLERANCES)
@pytest.mark.parametrize("case", ["nopad", "pad"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_outputs_equal_the_reference(
    outputs: dict, expected: dict, variant: str, case: str, name: str
) -> None:
    # The position encoding has no weights and is recorded once for both variants.
    source = "vistr" if name == "pos" else variant
    torch.testing.assert_close(
        outputs[f"{variant}.{case}"][name],
        expected[f"{source}.{case}.{name}"],
        rtol=0,
        atol=TOLERANCES[name],
    )
