"""Everything after the backbone on given features, beside what VisTR's program computes."""

from typing import Any, Protocol

import torch
from golden import draw_arrays, load_arrays
from torch import Tensor

from mmttsrn.models import InstanceSequenceHead, SequenceMaskHead, SpatioTemporalEncoder

T, Q = 4, 10
CHANNELS = (256, 512, 1024, 2048)
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
CASES = ("nopad", "pad")


class Parts(Protocol):
    """What has the three parts: a whole model, or a module of these alone."""

    neck: SpatioTemporalEncoder
    head: InstanceSequenceHead
    mask_head: SequenceMaskHead


@torch.no_grad()
def compute_outputs(parts: Parts, variant: str, case: str) -> dict[str, Tensor]:
    """Our outputs by their reference names, in our axis order, without the clip axis."""
    inputs = draw_arrays(f"vistr_head/params_{variant}.json", "inputs")
    maps = [inputs[f"input.feat{stride}"][None] for stride in (4, 8, 16, 32)]
    padding_mask = torch.zeros(1, T, 96, 160, dtype=torch.bool)
    if case == "pad":
        padding_mask[:, :, -32:] = padding_mask[..., -32:] = True
    features = parts.neck(maps, padding_mask)
    layers = parts.head(features)
    states = layers[-1].states
    offsets: list[Tensor] = []
    offset_conv = parts.mask_head.fpn.deform_conv.conv_offset
    hook = offset_conv.register_forward_hook(lambda *args: offsets.append(args[-1]))
    masks = parts.mask_head(features, states)
    hook.remove()
    memory = features.memory.permute(0, 1, 4, 2, 3).flatten(0, 1)
    terms = parts.mask_head.fpn.frame_terms(memory, [m.flatten(0, 1) for m in maps[:3]])
    keys = parts.mask_head.box_attention.keys(features.memory)
    first_instance = torch.tensor([[0, 0]])
    mask_features = parts.mask_head.mask_features(
        first_instance,
        states,
        keys,
        features.padding_mask,
        *(term.unflatten(0, (1, T)) for term in terms),
    )
    per_instance = [x.expand(Q, *x.shape[1:]) for x in (keys, features.padding_mask)]
    attention = parts.mask_head.box_attention(states[0].transpose(0, 1), *per_instance)
    return {
        "pos": features.positions[0],  # T, h, w, C
        "memory": features.memory[0],  # T, h, w, C
        "decoder_states": torch.stack([layer.states[0] for layer in layers]),  # L, T, Q, C
        "logits": torch.stack([layer.logits[0] for layer in layers]),  # L, T, Q, K+1
        "boxes": torch.stack([layer.boxes[0] for layer in layers]),  # L, T, Q, 4
        "bbox_attention": attention,  # Q, T, heads, h, w
        "dcn_offset_frame0_inst0": offsets[0][0],  # 18, H, W
        "mask_feat_frame0_inst0": mask_features[0, 0],  # C, H, W
        "masks": masks,  # Q, T, H, W
    }


def load_expected() -> dict[str, Tensor]:
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


def expected_output(expected: dict[str, Any], variant: str, case: str, name: str) -> Tensor:
    """One of the references' outputs."""
    # The position encoding has no weights and is recorded once for both variants.
    return expected[f"{'vistr' if name == 'pos' else variant}.{case}.{name}"]
