"""Plots of an evaluation as PNG files."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, fontManager

from mmttsrn.evaluation.analysis.errors import ErrorReport
from mmttsrn.evaluation.precision_recall import IOU_THRESHOLDS, RECALL_THRESHOLDS, mean_of_valid
from mmttsrn.evaluation.result import Evaluation
from mmttsrn.formats.fonts import drawable, text_runs
from mmttsrn.formats.output_files import replace_file

DPI = 130
# Of the palette of Okabe and Ito, whose colours people with colour blindness tell apart.
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#595959"
# Lines that cover each other are told apart by their widths.
_LINES: dict[str, dict[str, Any]] = {
    "IoU 0.50": dict(color=BLUE, linestyle="-", linewidth=3.5),
    "IoU 0.75": dict(color=ORANGE, linestyle="--", linewidth=2.5),
    "mean over IoU": dict(color=GREEN, linestyle="-.", linewidth=1.5),
}
_BAR_INCHES = 0.22


def mean_curves(evaluation: Evaluation) -> dict[str, np.ndarray]:
    """Precision at each recall threshold, mean over the classes with ground truth.

    Returns:
        (R,) float64 at IoU 0.50, at 0.75 and as mean over all thresholds, by name; nothing where
        no class has ground truth.
    """
    precision = evaluation.curves.precision[..., 0, -1]  # S R K
    precision = precision[..., (precision > -1).all(axis=(0, 1))]
    if precision.shape[-1] == 0:
        return {}
    chosen = {
        "IoU 0.50": precision[np.isclose(IOU_THRESHOLDS, 0.5)],
        "IoU 0.75": precision[np.isclose(IOU_THRESHOLDS, 0.75)],
        "mean over IoU": precision,
    }
    return {name: part.mean(axis=(0, 2)) for name, part in chosen.items()}


def plot_precision_recall(evaluation: Evaluation, path: Path) -> None:
    """Draw precision against recall."""
    figure, axes = _figure(6.0, 4.8)
    curves = mean_curves(evaluation)
    for name, curve in curves.items():
        label = f"{name}: AP {mean_of_valid(curve):.3f}"
        axes.plot(RECALL_THRESHOLDS, curve, label=label, **_LINES[name])
    if curves:  # the legend goes below the axes, where no curve can be
        figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    else:
        _say(axes, "no class has ground truth")
    axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="recall", ylabel="precision")
    axes.set_title("Precision and recall, mean over classes")
    axes.grid(color="#dddddd")
    _save(figure, path)


def plot_categories(evaluation: Evaluation, path: Path) -> None:
    """Draw the AP of each class with ground truth, best first."""
    names = evaluation.truth.categories
    bars = [
        (drawable(names[category_id]), stats["mAP"])
        for category_id, stats in evaluation.category_stats().items()
        if stats["mAP"] > -1
    ]
    bars.sort(key=lambda bar: -bar[1])
    left_out = len(names) - len(bars)
    figure, axes = _figure(7.0, 1.5 + _BAR_INCHES * max(len(bars), 2))
    if bars:
        _draw_bars(axes, [name for name, _ in bars], [ap for _, ap in bars])
        mean = mean_of_valid(np.array([ap for _, ap in bars]))
        axes.axvline(mean, color=GREY, linestyle="--", linewidth=1, zorder=0)
        axes.set_title(f"AP by class, mean {mean:.3f} (dashed)")
    else:
        _say(axes, "no class has ground truth")
        axes.set_title("AP by class")
    note = f"; classes without ground truth left out: {left_out}" if bars and left_out else ""
    axes.set_xlabel(f"AP, mean over IoU 0.50 to 0.95{note}")
    axes.set_ylabel("class")
    axes.set_xlim(0, 1.1)  # room for the numbers
    axes.set_xticks(np.linspace(0, 1, 6))
    _save(figure, path)


def plot_errors(report: ErrorReport, path: Path) -> None:
    """Draw what each kind of error costs."""
    labels = [f"{kind} ({report.counts[kind]})" for kind in report.lost]
    values = list(report.lost.values())
    figure, axes = _figure(7.0, 1.5 + 1.5 * _BAR_INCHES * len(values))
    _draw_bars(axes, labels, values, color=ORANGE)
    axes.set_xlim(min(*values, 0.0), 1.15 * max(*values, 0.05))
    axes.set_title(f"What errors cost: AP at IoU 0.50 is {report.ap:.3f}")
    axes.set_xlabel("AP at IoU 0.50 gained by fixing this kind of error alone")
    axes.set_ylabel("error (number of errors)")
    _save(figure, path)


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)  # draws without a screen, whatever the user's backend
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _draw_bars(axes: Axes, labels: list[str], values: list[float], color: str = BLUE) -> None:
    """Draw horizontal bars, the first on top, with their numbers."""
    positions = np.arange(len(labels))
    bars = axes.barh(positions, values, height=0.72, color=color)
    numbers = axes.bar_label(bars, [f"{value:.3f}" for value in values], padding=4, fontsize=8)
    for number in numbers:  # readable on lines, too
        number.set_bbox(dict(facecolor="white", edgecolor="none", pad=0.5))
    families = _families("".join(labels))
    axes.set_yticks(positions, labels, fontsize=8, fontfamily=families, parse_math=False)
    margin = max(0.6, (3 - len(labels)) / 2)  # a single bar does not fill the plot
    axes.set_ylim(len(labels) - 1 + margin, -margin)
    axes.tick_params(axis="y", length=0)


def _families(text: str) -> list[str]:
    """Names of fonts that have the characters of a text, which Matplotlib then knows."""
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)  # it tells of weights
    files = dict.fromkeys(str(path) for path, _ in text_runs(text))
    for file in files:
        fontManager.addfont(file)
    return [*rcParams["font.family"], *(FontProperties(fname=file).get_name() for file in files)]


def _say(axes: Axes, text: str) -> None:
    axes.text(0.5, 0.5, text, ha="center", va="center", transform=axes.transAxes, color=GREY)
    axes.set_yticks([])


def _save(figure: Figure, path: Path) -> None:
    replace_file(path, lambda partial: figure.savefig(partial, format="png"))
