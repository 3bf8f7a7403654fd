"""Recorded inputs of matcher and criterion, in our form."""

from dataclasses import dataclass

import numpy as np
import torch
from golden import load_arrays
from torch import Tensor

from mmttsrn.structures import SequencePredictions, SequenceTargets, dense_masks

T, Q = 4, 10
CASES = [*(f"n{n:02d}" for n in range(11)), "n12_more_than_slots", "aux_layer", "batch2_padded"]
CASES.append("all_invalid")
INPUTS = load_arrays("matcher_loss/inputs.npz")
EXPECTED = load_arrays("matcher_loss/expected.npz")


@dataclass
class Case:
    """Predictions of N clips, flat as recorded (rows frame * Q + slot), and true sequences."""

    logits: Tensor  # N, T*Q, K+1
    boxes: Tensor  # N, T*Q, 4
    masks: Tensor  # N, T*Q, h, w
    aux_logits: Tensor | None
    aux_boxes: Tensor | None
    targets: list[SequenceTargets]
    expected: dict[str, Tensor]

    def layers(self) -> list[SequencePredictions]:
        """Predictions of the decoder layers, an intermediate one first where there is one.

        As in TT-SRN, masks belong to the last layer.
        """
        masks = dense_masks(self.masks.unflatten(1, (T, Q)).transpose(1, 2))
        last = SequencePredictions(self._by_frame(self.logits), self._by_frame(self.boxes), masks)
        if self.aux_logits is None or self.aux_boxes is None:
            return [last]
        first = (self._by_frame(self.aux_logits), self._by_frame(self.aux_boxes))
        return [SequencePredictions(*first), last]

    @staticmethod
    def _by_frame(tensor: Tensor) -> Tensor:
        return tensor.unflatten(1, (T, Q))


def load_case(name: str) -> Case:
    """Read one of ``CASES``."""
    videos = sorted({key.split(".")[1] for key in INPUTS if key.startswith(f"{name}.")})

    def stacked(field: str) -> Tensor | None:
        keys = [f"{name}.{video}.{field}" for video in videos]
        return torch.stack([INPUTS[key] for key in keys]).float() if keys[0] in INPUTS else None

    mask_shapes = [INPUTS[f"{name}.{video}.tgt_mask_shape"].tolist() for video in videos]
    canvas = [max(shape[axis] for shape in mask_shapes) for axis in (1, 2)]
    return Case(
        logits=stacked("pred_logits"),
        boxes=stacked("pred_boxes"),
        masks=stacked("pred_masks"),
        aux_logits=stacked("aux0_logits"),
        aux_boxes=stacked("aux0_boxes"),
        targets=[_targets(f"{name}.{video}", canvas) for video in videos],
        expected={
            key.removeprefix(f"{name}."): array
            for key, array in EXPECTED.items()
            if key.startswith(f"{name}.")
        },
    )


def _targets(prefix: str, canvas: list[int]) -> SequenceTargets:
    rows, height, width = INPUTS[f"{prefix}.tgt_mask_shape"].tolist()
    bits = np.unpackbits(INPUTS[f"{prefix}.tgt_masks_packed"].numpy(), count=rows * height * width)
    masks = torch.zeros(rows, *canvas, dtype=torch.bool)
    masks[:, :height, :width] = torch.from_numpy(bits.reshape(rows, height, width)).bool()
    # An invalid frame has label 0, so the label of a sequence is its largest.
    return SequenceTargets(
        labels=INPUTS[f"{prefix}.tgt_labels"].view(-1, T).amax(1),
        boxes=INPUTS[f"{prefix}.tgt_boxes"].view(-1, T, 4),
        valid=INPUTS[f"{prefix}.tgt_valid"].view(-1, T).bool(),
        masks=masks.view(-1, T, *canvas),
        frame_size=(height, width),
    )
