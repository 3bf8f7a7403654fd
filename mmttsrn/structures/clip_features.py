"""What the neck hands to the heads."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class ClipFeatures:
    """Spatio-temporal features of a batch of clips.

    Attributes:
        memory: Encoder output (N, T, h, w, C) at the coarsest stride.
        positions: Position encodings (N, T, h, w, C) of the memory cells.
        padding_mask: (N, T, h, w) bool, true where a memory cell is padding.
        fine_maps: Backbone maps (N, T, C_i, H_i, W_i), from the finest (stride 4) on.
    """

    memory: Tensor
    positions: Tensor
    padding_mask: Tensor
    fine_maps: tuple[Tensor, ...]

    @property
    def key_padding_mask(self) -> Tensor | None:
        """(N, T*h*w) bool mask for attention, or None if no cell is padding."""
        return self.padding_mask.flatten(1) if self.padding_mask.any() else None
