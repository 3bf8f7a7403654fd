"""All numbers of an evaluation as content of a json file, in full precision."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from mmttsrn.evaluation.analysis.comparison import VideoDifference
from mmttsrn.evaluation.analysis.errors import ErrorReport
from mmttsrn.evaluation.analysis.lengths import length_stats, long_video_stats
from mmttsrn.evaluation.analysis.mask_ranking import MaskRanking
from mmttsrn.evaluation.analysis.report import truths_per_category
from mmttsrn.evaluation.result import Evaluation


def metrics_content(
    evaluation: Evaluation,
    errors: ErrorReport | None = None,
    masks: MaskRanking | None = None,
    other: Evaluation | None = None,
    differences: Sequence[VideoDifference] = (),
) -> dict[str, Any]:
    """Numbers of an evaluation, its errors and a comparison; -1 where nothing is to be found."""
    counts = truths_per_category(evaluation)
    videos = evaluation.truth.videos
    content: dict[str, Any] = {
        "stats": evaluation.stats,
        "per_class": [
            {
                "id": category_id,
                "name": evaluation.truth.categories[category_id],
                "num_truths": counts[category_id],
                **stats,
            }
            for category_id, stats in evaluation.category_stats().items()
        ],
        "per_group": evaluation.group_stats(),
        "per_length": length_stats(evaluation),
        "long_videos": long_video_stats(evaluation),
        "per_video": [
            {"id": video_id, "num_frames": videos[video_id].length, **stats}
            for video_id, stats in evaluation.video_stats().items()
        ],
    }
    if errors is not None:
        content["errors"] = asdict(errors)
    if masks is not None:
        content["masks"] = asdict(masks)
    if other is not None:
        content["comparison"] = {
            "stats": other.stats,
            "per_video": [
                {**asdict(video), "difference": video.difference} for video in differences
            ],
        }
    return content
