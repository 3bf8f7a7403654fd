from itertools import pairwise

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image
from vis_json import ground_truth, perfect_results

from mmttsrn.evaluation import evaluate_ytvis
from mmttsrn.evaluation.analysis import plots
from mmttsrn.formats.fonts import font_of


@pytest.fixture
def truth():
    return ground_truth()


@pytest.fixture
def evaluation(truth):
    """The cat is found, one of two dogs after a wrong one, there is no fish."""
    cat, dog, _ = perfect_results(truth)
    wrong = {**dog, "video_id": 1, "segmentations": [None] * 3, "score": 0.9}
    return evaluate_ytvis(truth, [cat, dog, wrong])


@pytest.fixture
def drawn(monkeypatch):
    """The figures that are written."""
    figures = []
    save = Figure.savefig

    def keep(figure, *args, **kwargs):
        figures.append(figure)
        save(figure, *args, **kwargs)

    monkeypatch.setattr(Figure, "savefig", keep)
    return figures


def assert_png(path):
    with Image.open(path) as image:
        assert image.format == "PNG"
        pixels = np.asarray(image.convert("L"))
    assert min(pixels.shape) > 200
    assert (pixels < 128).mean() > 0.001  # something is drawn
    assert [file.name for file in path.parent.iterdir()] == [path.name]  # no partial file


def test_curves_are_means_over_classes_with_ground_truth(evaluation):
    curves = plots.mean_curves(evaluation)
    # Precision of the dogs is 1/2 up to a recall of 1/2, and 0 above.
    expected = np.where(np.arange(101) <= 50, 0.75, 0.5)
    for curve in curves.values():
        np.testing.assert_allclose(curve, expected)
    assert curves["mean over IoU"].mean() == pytest.approx(evaluation.stats["mAP"])


def test_precision_recall(evaluation, tmp_path, drawn):
    plots.plot_precision_recall(evaluation, tmp_path / "new/curves.png")
    assert_png(tmp_path / "new/curves.png")
    axes = drawn[0].axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("recall", "precision")
    assert [line.get_label() for line in axes.lines] == [
        f"{name}: AP 0.626" for name in ("IoU 0.50", "IoU 0.75", "mean over IoU")
    ]


def test_classes_are_sorted_and_those_without_ground_truth_left_out(truth, tmp_path, drawn):
    dogs = perfect_results(truth)[1:]
    wrong = {**dogs[0], "video_id": 1, "segmentations": [None] * 3, "score": 0.9}
    plots.plot_categories(evaluate_ytvis(truth, [*dogs, wrong]), tmp_path / "classes.png")
    assert_png(tmp_path / "classes.png")
    axes = drawn[0].axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["dog", "cat"]
    assert [bar.get_width() for bar in axes.patches] == pytest.approx([2 / 3, 0.0])
    assert "classes without ground truth left out: 1" in axes.get_xlabel()


@pytest.mark.filterwarnings("error")
def test_names_of_classes_are_drawn_as_they_are(truth, tmp_path, drawn, caplog):
    names = ["猫", "$\\frac$", "a\nb\x1b[2J", "\U0010fffd"]  # the last one is of no font
    shown = [names[0] if font_of("猫") else r"\u732b", names[1], r"a\nb\x1b[2J", r"\U0010fffd"]
    truth = ground_truth([3] * len(names))
    truth["categories"] = [{"id": index, "name": name} for index, name in enumerate(names)]
    for index, annotation in enumerate(truth["annotations"]):
        annotation["category_id"] = index
    plots.plot_categories(evaluate_ytvis(truth, []), tmp_path / "classes.png")
    labels = drawn[0].axes[0].get_yticklabels()
    assert [label.get_text() for label in labels] == shown
    heights = [label.get_window_extent().height for label in labels]
    assert max(heights) < 30  # pixels: one line each
    assert all("no installed font has" in message for message in caplog.messages)


@pytest.mark.parametrize("count", [1, 40])
def test_labels_of_classes_do_not_overlap(count, tmp_path, drawn):
    truth = ground_truth([3] * count)
    truth["categories"] = [{"id": index, "name": f"class {index}"} for index in range(count)]
    for index, annotation in enumerate(truth["annotations"]):
        annotation["category_id"] = index
    plots.plot_categories(evaluate_ytvis(truth, []), tmp_path / "classes.png")
    axes = drawn[0].axes[0]
    boxes = [label.get_window_extent() for label in axes.get_yticklabels()]
    assert len(boxes) == count
    for upper, lower in pairwise(boxes):
        assert upper.y0 >= lower.y1
    assert boxes[0].x0 >= 0
    assert boxes[0].height > 8  # pixels


def test_nothing_to_be_found_is_said(truth, tmp_path, drawn):
    truth["annotations"] = []
    evaluation = evaluate_ytvis(truth, [])
    plots.plot_precision_recall(evaluation, tmp_path / "a.png")
    plots.plot_categories(evaluation, tmp_path / "b.png")
    for figure in drawn:
        assert [text.get_text() for text in figure.axes[0].texts] == ["no class has ground truth"]


def test_errors(errors, tmp_path, drawn):
    plots.plot_errors(errors, tmp_path / "errors.png")
    assert_png(tmp_path / "errors.png")
    axes = drawn[0].axes[0]
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels[0] == "class (12)"
    assert labels[5] == "background (130)"
    assert [bar.get_width() for bar in axes.patches] == list(errors.lost.values())
    assert axes.get_xlim()[0] <= -0.001
    assert "0.250" in axes.get_title()
