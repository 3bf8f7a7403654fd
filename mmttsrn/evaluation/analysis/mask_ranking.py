"""How good masks are by themselves, and whether the scores put the good ones first."""

from dataclasses import dataclass

import numpy as np

from mmttsrn.evaluation.overlaps import sequence_ious
from mmttsrn.evaluation.ytvis import best_sequences
from mmttsrn.formats.ground_truth import GroundTruth, decode_masks
from mmttsrn.formats.results import Results


@dataclass(frozen=True)
class MaskRanking:
    """Masks compared with the annotated sequence that they overlap most, whatever its class.

    Attributes:
        best_iou: Mean over the annotated sequences of the IoU of the best predicted one; None
            without any.
        rank_correlation: Spearman's, between the scores of the predicted sequences and their IoU
            with the annotated one that they overlap most; None for fewer than two predictions, or
            where all scores or IoUs are equal.
        num_truths: Annotated sequences.
        num_predicted: Predicted sequences.
    """

    best_iou: float | None
    rank_correlation: float | None
    num_truths: int
    num_predicted: int


def rank_masks(truth: GroundTruth, results: Results) -> MaskRanking:
    """Compare all masks of a split; crowds are left out."""
    best_of_truth: list[float] = []
    best_of_predicted: list[float] = []
    scores: list[float] = []
    for video in truth.videos.values():
        predicted = best_sequences(results.get(video.id, []))
        true = [sequence for sequence in video.sequences if not sequence.is_crowd]
        rows = np.arange(len(predicted) + len(true))
        masks = decode_masks(video, [*predicted, *true])
        ious = sequence_ious(masks, rows[: len(predicted)], rows[len(predicted) :], 0.0)  # D G
        best_of_truth += ious.max(axis=0, initial=0).tolist()
        best_of_predicted += ious.max(axis=1, initial=0).tolist()
        scores += [guess.score for guess in predicted]
    return MaskRanking(
        best_iou=float(np.mean(best_of_truth)) if best_of_truth else None,
        rank_correlation=_spearman(np.array(scores), np.array(best_of_predicted)),
        num_truths=len(best_of_truth),
        num_predicted=len(scores),
    )


def _spearman(a: np.ndarray, b: np.ndarray) -> float | None:
    """Rank correlation of values (n,), (n,); None for fewer than two, or where all are equal."""
    from scipy.stats import spearmanr  # loads slowly

    if any(len(values) < 2 or np.ptp(values) == 0 for values in (a, b)):
        return None
    return float(spearmanr(a, b).statistic)
