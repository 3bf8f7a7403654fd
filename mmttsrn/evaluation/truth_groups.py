"""Groups of ground truth that are evaluated apart: by area and by occlusion."""

from collections.abc import Iterable
from dataclasses import dataclass

from mmttsrn.formats.ground_truth import TrueSequence

# Mean occlusion over the visible frames from which on a sequence is moderately or heavily occluded.
MODERATE_OCCLUSION, HEAVY_OCCLUSION = 0.25, 0.5


@dataclass(frozen=True)
class TruthGroup:
    """True sequences that are evaluated together; the others are ignored.

    Attributes:
        name: What they are called.
        area: Lowest and highest mean area in pixels, both included. A detection outside that finds
            nothing is ignored, too.
        occlusion: Lowest mean occlusion, included, and highest, excluded; None for any.
    """

    name: str
    area: tuple[float, float] = (0.0, 1e10)
    occlusion: tuple[float, float] | None = None

    def holds(self, sequence: TrueSequence) -> bool:
        """Whether a sequence belongs to the group; crowd belongs to none."""
        if sequence.is_crowd or not self.area[0] <= sequence.mean_area <= self.area[1]:
            return False
        if self.occlusion is None:
            return True
        low, high = self.occlusion
        return sequence.occlusion is not None and low <= sequence.occlusion < high


AREA_GROUPS = (
    TruthGroup("all"),
    TruthGroup("small", (0, 128**2)),
    TruthGroup("medium", (128**2, 256**2)),
    TruthGroup("large", (256**2, 1e10)),
)


def occlusion_groups(sequences: Iterable[TrueSequence]) -> tuple[TruthGroup, ...]:
    """Slight, moderate and heavy occlusion; nothing where the file does not tell occlusion."""
    if all(sequence.occlusion is None for sequence in sequences):
        return ()
    return (
        TruthGroup("slight occlusion", occlusion=(0.0, MODERATE_OCCLUSION)),
        TruthGroup("moderate occlusion", occlusion=(MODERATE_OCCLUSION, HEAVY_OCCLUSION)),
        TruthGroup("heavy occlusion", occlusion=(HEAVY_OCCLUSION, float("inf"))),
    )
