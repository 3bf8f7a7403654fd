"""What neck and pixel decoder hand to the heads."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class ClipFeatures:
    """Spatio-temporal features of a batch of clips.

    Attributes:
        memory: Encoder output (N, T, h, w, C) at the coarsest stride.
        positions: Position encodings (N, T, h, w, C) of the memory cells; None without a neck.
        padding_mask: (N, T, h, w) bool, true where a memory cell is padding.
        fine_maps: The other maps of the backbone (N, T, C_i, H_i, W_i), from the finest (stride 4)
            on; of a Vision Transformer its prefix tokens, as a map of one row.
        levels: Maps of a pixel decoder (N, T, C, H_i, W_i), from the coarsest on; empty without.
        mask_features: Its map (N, T, C_m, H/4, W/4) that masks are read from; None without one.
        previous: Decoder states (N, Q, C) of the frame before the clip, for heads that go on from
            them; None at the beginning of a video.
    """

    memory: Tensor
    positions: Tensor | None
    padding_mask: Tensor
    fine_maps: tuple[Tensor, ...]
    levels: tuple[Tensor, ...] = ()
    mask_features: Tensor | None = None
    previous: Tensor | None = None

    @property
    def maps(self) -> tuple[Tensor, ...]:
        """All maps (N, T, C_i, H_i, W_i) from the finest on; the memory is the last one."""
        return (*self.fine_maps, self.memory.permute(0, 1, 4, 2, 3))

    @property
    def key_padding_mask(self) -> Tensor | None:
        """(N, T*h*w) bool mask for attention, or None if no cell is padding."""
        return self.padding_mask.flatten(1) if self.padding_mask.any() else None
