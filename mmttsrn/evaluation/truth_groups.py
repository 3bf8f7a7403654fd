"""Groups of ground truth that are evaluated apart: by area and by occlusion."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .tracks import TruthTrack

# Occlusion of a frame by the words of the OVIS files, and the mean over the visible frames from
# which on a sequence is moderately or heavily occluded.
OCCLUSION_LEVELS = {"no_occlusion": 0.0, "slight_occlusion": 0.25, "severe_occlusion": 0.75}
MODERATE_OCCLUSION, HEAVY_OCCLUSION = 0.25, 0.5


@dataclass(frozen=True)
class TruthGroup:
    """Ground-truth sequences that are evaluated together; the others are ignored.

    Attributes:
        name: What they are called.
        area: Lowest and highest mean area in pixels, both included. A detection outside that finds
            nothing is ignored, too.
        occlusion: Lowest mean occlusion, included, and highest, excluded; None for any.
    """

    name: str
    area: tuple[float, float] = (0.0, 1e10)
    occlusion: tuple[float, float] | None = None

    def holds(self, track: TruthTrack) -> bool:
        """Whether a sequence belongs to the group; crowd belongs to none."""
        if track.is_crowd or not self.holds_area(track.mean_area):
            return False
        if self.occlusion is None:
            return True
        low, high = self.occlusion
        return track.occlusion is not None and low <= track.occlusion < high

    def holds_area(self, mean_area: float) -> bool:
        """Whether an area is in the range of the group."""
        return self.area[0] <= mean_area <= self.area[1]


AREA_GROUPS = (
    TruthGroup("all"),
    TruthGroup("small", (0, 128**2)),
    TruthGroup("medium", (128**2, 256**2)),
    TruthGroup("large", (256**2, 1e10)),
)


def occlusion_groups(tracks: Iterable[TruthTrack]) -> tuple[TruthGroup, ...]:
    """Slight, moderate and heavy occlusion; nothing where the file does not tell occlusion."""
    if all(track.occlusion is None for track in tracks):
        return ()
    return (
        TruthGroup("slight occlusion", occlusion=(0.0, MODERATE_OCCLUSION)),
        TruthGroup("moderate occlusion", occlusion=(MODERATE_OCCLUSION, HEAVY_OCCLUSION)),
        TruthGroup("heavy occlusion", occlusion=(HEAVY_OCCLUSION, float("inf"))),
    )
