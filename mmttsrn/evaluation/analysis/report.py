"""Tables of an evaluation as plain text.

Numbers are rounded to 4 decimals here only; ``n/a`` stands for -1, where nothing is to be found.
"""

from collections.abc import Mapping, Sequence

from mmttsrn.errors import printable
from mmttsrn.evaluation.analysis.comparison import VideoDifference
from mmttsrn.evaluation.analysis.errors import ErrorReport
from mmttsrn.evaluation.analysis.lengths import length_stats, long_video_stats
from mmttsrn.evaluation.analysis.mask_ranking import MaskRanking
from mmttsrn.evaluation.result import STATS, Evaluation
from mmttsrn.evaluation.truth_groups import AREA_GROUPS

AREA_GROUP_NAMES = tuple(group.name for group in AREA_GROUPS)
MAX_VIDEOS = 20
_GROUP_HEADER = ("mAP", "mAP_50", "AR@100")


def summary_table(evaluation: Evaluation, title: str) -> str:
    """Return the twelve official numbers."""
    rows = [(name, format_score(value), STATS[name]) for name, value in evaluation.stats.items()]
    return text_table(title, None, rows, align="<><")


def category_table(evaluation: Evaluation) -> str:
    """Return the numbers of each class."""
    counts = truths_per_category(evaluation)
    names = evaluation.truth.categories
    rows = [
        (str(category_id), names[category_id], str(counts[category_id]), *_scores(stats, stats))
        for category_id, stats in evaluation.category_stats().items()
    ]
    header = ("id", "class", "instances", "mAP", "mAP_50", "mAP_75", "AR@100")
    return text_table("By class", header, rows, align="><>>>>>")


def size_table(evaluation: Evaluation) -> str:
    """Return the numbers by mean area of the ground truth."""
    stats = evaluation.group_stats()
    return _part_table("By size", {name: stats[name] for name in AREA_GROUP_NAMES})


def occlusion_table(evaluation: Evaluation) -> str | None:
    """Return the numbers by occlusion; None where the file does not tell it."""
    stats = evaluation.group_stats()
    parts = {name: stats[name] for name in stats if name not in AREA_GROUP_NAMES}
    return _part_table("By occlusion", parts) if parts else None


def length_table(evaluation: Evaluation) -> str:
    """Return the numbers by number of frames."""
    return _part_table("By number of frames", length_stats(evaluation))


def long_video_table(evaluation: Evaluation) -> str | None:
    """Return the numbers of short and long videos; None where the file does not mark long ones."""
    stats = long_video_stats(evaluation)
    return _part_table("By the file's mark of long videos", stats) if stats else None


def error_table(report: ErrorReport) -> str:
    """Return what each kind of error costs."""
    rows = [(kind, f"{lost:.4f}", str(report.counts[kind])) for kind, lost in report.lost.items()]
    table = text_table(
        f"Errors: what fixing one kind adds to mask AP at IoU 0.50, {format_score(report.ap)}",
        ("error", "AP lost", "errors"),
        rows,
        align="<>>",
    )
    kinds = ", ".join(f"{kind} {count}" for kind, count in report.track_counts.items())
    all_fixed = format_score(report.all_fixed)
    return f"{table}\n  AP with all kinds fixed: {all_fixed}\n  track errors: {kinds}"


def mask_table(ranking: MaskRanking) -> str:
    """Return how good masks are, whatever their class and score."""
    values = (ranking.best_iou, ranking.rank_correlation)
    names = (
        f"mean IoU of the best mask of each of {ranking.num_truths} instances",
        f"rank correlation of score and IoU of {ranking.num_predicted} predictions",
    )
    rows = [
        (name, "n/a" if value is None else f"{value:.4f}")
        for name, value in zip(names, values, strict=True)
    ]
    return text_table("Masks, whatever their class", None, rows, align="<>")


def comparison_table(evaluation: Evaluation, other: Evaluation, title: str) -> str:
    """Return the twelve numbers of two results side by side."""
    other_stats = other.stats
    rows = []
    for name, value in evaluation.stats.items():
        scores = (format_score(value), format_score(other_stats[name]))
        difference = format_difference(None if value < 0 else value - other_stats[name])
        rows.append((name, *scores, difference))
    return text_table(title, ("", "results", "other", "difference"), rows, align="<>>>")


def video_table(differences: Sequence[VideoDifference], limit: int = MAX_VIDEOS) -> str:
    """Return the first videos of what :func:`~.comparison.compare_videos` gives, worst first."""
    rows = []
    for one in differences[:limit]:
        counts = map(str, (one.video_id, one.num_frames, one.num_truths))
        scores = (format_score(one.ap), format_score(one.other_ap))
        rows.append((*counts, *scores, format_difference(one.difference)))
    header = ("video", "frames", "instances", "mAP", "other mAP", "difference")
    table = text_table("By video, largest loss first", header, rows, align=">>>>>>")
    hidden = len(differences) - len(rows)
    return f"{table}\n  ... and {hidden} more" if hidden else table


def truths_per_category(evaluation: Evaluation) -> dict[int, int]:
    """Return the number of ground-truth sequences to be found, by category id."""
    counts = dict.fromkeys(evaluation.truth.categories, 0)
    for match in evaluation.matches:
        counts[match.category_id] += int(match.num_truths[0])
    return counts


def format_score(value: float) -> str:
    """Return a number of an evaluation; -1 becomes ``n/a``."""
    return "n/a" if value < 0 else f"{value:.4f}"


def format_difference(value: float | None) -> str:
    """Return a difference of two numbers; None becomes ``n/a``."""
    return "n/a" if value is None else f"{value:+.4f}"


def text_table(
    title: str, header: Sequence[str] | None, rows: Sequence[Sequence[str]], align: str
) -> str:
    """Align cells in columns under a first line, ``align`` being ``<`` or ``>`` for each."""
    lines = [[printable(cell) for cell in line] for line in ([header] if header else []) + [*rows]]
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
    aligned = [
        "  ".join(
            f"{cell:{side}{width}}" for cell, side, width in zip(line, align, widths, strict=True)
        )
        for line in lines
    ]
    return "\n".join([printable(title), *(f"  {line}".rstrip() for line in aligned)])


def _part_table(title: str, parts: Mapping[str, Mapping[str, float]]) -> str:
    with_videos = any("num_videos" in stats for stats in parts.values())
    counts = ("num_videos", "num_truths") if with_videos else ("num_truths",)
    rows = [
        (name, *(str(stats[count]) for count in counts), *_scores(stats, _GROUP_HEADER))
        for name, stats in parts.items()
    ]
    header = ("", *(("videos",) if with_videos else ()), "instances", *_GROUP_HEADER)
    return text_table(title, header, rows, align="<" + ">" * (len(header) - 1))


def _scores(stats: Mapping[str, float], names: Sequence[str] | Mapping[str, float]) -> list[str]:
    return [format_score(stats[name]) for name in names]
