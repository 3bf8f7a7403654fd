"""What costs AP: errors of video instance segmentation by kind, and what fixing each would gain.

In the spirit of TIDE (Bolya et al., ECCV 2020), with the kinds of error that sequences have: a
sequence can be wrong in space, in time, or both. All at an IoU of 0.50; docs/evaluation.md defines
every term.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from mmttsrn.evaluation.matching import match_sequences
from mmttsrn.evaluation.overlaps import sequence_ious
from mmttsrn.evaluation.precision_recall import RECALL_THRESHOLDS
from mmttsrn.evaluation.ytvis import Progress, best_sequences
from mmttsrn.formats.ground_truth import GroundTruth, TrueSequence, Video, decode_masks
from mmttsrn.formats.intervals import MaskIntervals, intersections
from mmttsrn.formats.results import PredictedSequence, Results

ERROR_TYPES = ("class", "spatial", "track", "both", "duplicate", "background", "missed")
TRACK_ERRORS = ("identity switch", "fragment")
FOREGROUND_IOU = 0.5  # from here on a detection is right
BACKGROUND_IOU = 0.1  # below it a detection has nothing to do with an object

TruthId = tuple[int, int]  # video id, place among the sequences of the video


@dataclass(frozen=True)
class ErrorReport:
    """Errors and what they cost.

    Attributes:
        ap: AP at an IoU of 0.50 without any fix; -1 without ground truth.
        lost: By kind, the AP gained when all errors of this kind alone are fixed.
        counts: Number of errors by kind.
        track_counts: Number of track errors by what is wrong with the track.
        all_fixed: AP when everything is fixed: 1, or -1 without ground truth.
    """

    ap: float
    lost: dict[str, float]
    counts: dict[str, int]
    track_counts: dict[str, int]
    all_fixed: float


@dataclass(slots=True)
class _Judged:
    """A predicted sequence and what is wrong with it."""

    category_id: int
    score: float
    kind: str | None  # one of ERROR_TYPES; None where it is right
    truth: TruthId | None  # that it has found or should have found, if any


@dataclass(slots=True)
class _Verdicts:
    """All predicted and true sequences of a split, but those that are ignored."""

    # In rising order of the video, within a video by falling score.
    predicted: list[_Judged] = field(default_factory=list)
    truth_categories: dict[TruthId, int] = field(default_factory=dict)
    found: set[TruthId] = field(default_factory=set)
    track_counts: Counter = field(default_factory=Counter)


def analyse_errors(
    truth: GroundTruth, results: Results, progress: Progress | None = None
) -> ErrorReport:
    """Find what is wrong with each predicted sequence, and what AP each kind of error costs.

    Args:
        truth: Ground truth.
        results: Results for it.
        progress: Called with the number of videos done and of all.

    Raises:
        UserInputError: A mask is broken.
    """
    verdicts = _Verdicts()
    for done, video in enumerate(truth.in_order().videos.values(), start=1):
        _judge_video(video, results.get(video.id, []), verdicts)
        if progress is not None:
            progress(done, len(truth.videos))
    ap = _average_precision(verdicts)
    fixed = {kind: _average_precision(verdicts, fixed=(kind,)) for kind in ERROR_TYPES}
    counts = Counter(judged.kind for judged in verdicts.predicted)
    counts["missed"] = len(_missed(verdicts))
    return ErrorReport(
        ap,
        {kind: value - ap for kind, value in fixed.items()},
        {kind: counts[kind] for kind in ERROR_TYPES},
        {kind: verdicts.track_counts[kind] for kind in TRACK_ERRORS},
        _average_precision(verdicts, fixed=ERROR_TYPES),
    )


def _judge_video(video: Video, predicted: list[PredictedSequence], verdicts: _Verdicts) -> None:
    best, true = best_sequences(predicted), video.sequences
    masks = decode_masks(video, [*best, *true])
    rows = np.arange(len(best) + len(true))
    ious = sequence_ious(masks, rows[: len(best)], rows[len(best) :], BACKGROUND_IOU)  # D G
    chosen = _right_choices(best, true, ious)
    ids = [(video.id, j) for j in range(len(true))]
    for truth_id, sequence in zip(ids, true, strict=True):
        if not sequence.is_crowd:
            verdicts.truth_categories[truth_id] = sequence.category_id
    seen = _VideoMasks(best, true, masks, ious)
    for i, (guess, j) in enumerate(zip(best, chosen.tolist(), strict=True)):
        if j >= 0 and true[j].is_crowd:
            continue
        kind, target = (None, j) if j >= 0 else _kind_of_error(i, seen)
        found = None if target is None else ids[target]
        verdicts.predicted.append(_Judged(guess.category_id, guess.score, kind, found))
        if kind is None:
            verdicts.found.add(ids[j])
        elif kind == "track" and target is not None:
            verdicts.track_counts[_track_error(i, target, seen)] += 1


def _right_choices(
    predicted: Sequence[PredictedSequence], true: Sequence[TrueSequence], ious: np.ndarray
) -> np.ndarray:
    """Index of the true sequence that each predicted one has found, (D,); -1 for none."""
    crowd = np.array([sequence.is_crowd for sequence in true], bool)
    claimed = np.array([sequence.category_id for sequence in predicted], object)
    category = np.array([sequence.category_id for sequence in true], object)
    same = claimed[:, None] == category  # D G
    chosen = match_sequences(
        np.where(same, ious, -1.0).astype(float), crowd, crowd[None], np.array([FOREGROUND_IOU])
    )
    return chosen[0, 0]


@dataclass(frozen=True, slots=True)
class FrameOverlaps:
    """Pixels of a predicted and a true sequence in T frames, (T,) int64 each."""

    shared: np.ndarray
    union: np.ndarray
    truth: np.ndarray

    def astray(self) -> np.ndarray:
        """Frames where only one of the two is, or where they hardly overlap, (T,) bool."""
        return self.shared < BACKGROUND_IOU * self.union


@dataclass(frozen=True, slots=True)
class _VideoMasks:
    """D predicted sequences by falling score and G true ones of a video."""

    predicted: Sequence[PredictedSequence]
    true: Sequence[TrueSequence]
    masks: MaskIntervals  # of both, one after the other
    ious: np.ndarray  # D G

    def frames(self, index: int, target: int) -> "FrameOverlaps":
        """Return how two sequences overlap in each frame."""
        row = len(self.predicted) + target
        [shared] = intersections(self.masks, np.array([[index, row]]))
        areas = self.masks.areas
        return FrameOverlaps(shared, areas[index] + areas[row] - shared, areas[row])

    def closest(self, index: int, same_category: bool) -> tuple[float, int | None]:
        """Highest IoU of a predicted sequence with true ones of its own or another category."""
        category = self.predicted[index].category_id
        best: tuple[float, int | None] = (0.0, None)
        for j, sequence in enumerate(self.true):
            of_kind = (sequence.category_id == category) == same_category
            if of_kind and not sequence.is_crowd and self.ious[index, j] > best[0]:
                best = (float(self.ious[index, j]), j)
        return best


def _kind_of_error(index: int, video: _VideoMasks) -> tuple[str, int | None]:
    """Kind of a predicted sequence that has found nothing, and the true one a fix would give it."""
    iou, target = video.closest(index, same_category=True)
    other_iou, other_target = video.closest(index, same_category=False)
    if iou >= FOREGROUND_IOU:
        return "duplicate", target
    if other_iou >= FOREGROUND_IOU:
        return "class", other_target
    if target is not None and iou >= BACKGROUND_IOU:
        return kind_of_overlap(video.frames(index, target)), target
    if other_iou >= BACKGROUND_IOU:
        return "both", other_target
    return "background", None


def kind_of_overlap(frames: FrameOverlaps) -> str:
    """Return what is wrong with a sequence that overlaps the right object too little.

    A frame is wrong in time where the detection is astray; in all others it can only be wrong in
    space.

    Returns:
        ``"spatial"`` if perfect masks in the frames of the latter kind would make it right,
        ``"track"`` if putting the frames of the former kind right would, the one that helps more if
        either would, and ``"both"`` if neither alone would.
    """
    shared, union, truth = frames.shared, frames.union, frames.truth
    astray = frames.astray()
    in_place = ~astray
    right, late = truth[in_place].sum(), truth[astray].sum()
    space_fixed = _iou_of_sums(right + shared[astray].sum(), right + union[astray].sum())
    time_fixed = _iou_of_sums(shared[in_place].sum() + late, union[in_place].sum() + late)
    if max(space_fixed, time_fixed) < FOREGROUND_IOU:
        return "both"
    return "track" if time_fixed > space_fixed else "spatial"


def _iou_of_sums(shared: int, union: int) -> float:
    return shared / union if union else 0.0


def _track_error(index: int, target: int, video: _VideoMasks) -> str:
    """Whether a broken track follows another object for a while or only lacks frames."""
    astray = video.frames(index, target).astray()
    for other in range(len(video.true)):
        if other == target:
            continue
        frames = video.frames(index, other)
        follows = (frames.shared > 0) & (frames.shared >= FOREGROUND_IOU * frames.union)
        if (astray & follows).any():
            return "identity switch"
    return "fragment"


def _missed(verdicts: _Verdicts) -> set[TruthId]:
    """Sequences that nothing has found and that no fix of a detection would find."""
    fixable = {judged.truth for judged in verdicts.predicted if judged.truth is not None}
    return set(verdicts.truth_categories) - verdicts.found - fixable


def _average_precision(verdicts: _Verdicts, fixed: Sequence[str] = ()) -> float:
    """AP at an IoU of 0.50 after fixing kinds of errors.

    A fix makes the best detection right that is meant for a sequence which nothing has found, and
    takes away the others and those meant for none. Missed sequences need no longer be found; a
    category without any others counts as found completely.
    """
    taken = set(verdicts.found)
    outcomes: dict[int, list[tuple[float, bool]]] = {}
    for judged in sorted(verdicts.predicted, key=lambda judged: -judged.score):
        category, right = judged.category_id, judged.kind is None
        if judged.kind in fixed:
            if judged.truth is None or judged.truth in taken:
                continue
            taken.add(judged.truth)
            category, right = verdicts.truth_categories[judged.truth], True
        outcomes.setdefault(category, []).append((judged.score, right))
    dropped = _missed(verdicts) if "missed" in fixed else set()
    wanted = Counter(verdicts.truth_categories.values())
    wanted.subtract(verdicts.truth_categories[truth] for truth in dropped)
    values = [_category_ap(outcomes.get(category, []), n) for category, n in wanted.items()]
    return float(np.mean(values)) if values else -1.0


def _category_ap(outcomes: list[tuple[float, bool]], num_truths: int) -> float:
    """Mean of the precision at 101 recalls, as the official evaluator takes it."""
    if num_truths == 0:
        return 1.0
    right = np.cumsum([outcome for _, outcome in outcomes])
    precision = right / np.arange(1, len(outcomes) + 1)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    reached = np.searchsorted(right / num_truths, RECALL_THRESHOLDS, side="left")
    return float(precision[reached[reached < len(outcomes)]].sum() / len(RECALL_THRESHOLDS))
