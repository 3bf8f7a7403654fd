import json
import re
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mmengine.evaluator import Evaluator
from mmengine.logging import MMLogger
from pycocotools import mask as mask_utils
from sequence_results import results_of

from mmttsrn.evaluation.metrics import YouTubeVISMetric
from mmttsrn.evaluation.result import STAT_NAMES
from mmttsrn.formats.results import OFFICIAL_KEYS
from mmttsrn.hosts.mmdet import YouTubeVISDataset

NAMES = set(STAT_NAMES)


@pytest.fixture
def run(perfect_video: Callable) -> Callable[..., dict]:
    """Evaluates perfect predictions of a dataset; ``change`` edits each video's results first."""

    def evaluate(
        metric: YouTubeVISMetric,
        dataset: YouTubeVISDataset,
        change: Callable = lambda video: video,
        order: list[int] | None = None,
    ) -> dict:
        evaluator = Evaluator(metric)
        evaluator.dataset_meta = dataset.metainfo
        for index in order or range(len(dataset)):
            video = change(perfect_video(dataset.get_data_info(index)))
            evaluator.process([{"pred_sequences": video}], None)
        return evaluator.evaluate(len(order or dataset))

    return evaluate


def read_results(prefix: Path) -> list[dict]:
    results = json.loads(prefix.with_suffix(".json").read_text())
    with zipfile.ZipFile(prefix.with_suffix(".zip")) as archive:
        assert archive.namelist() == ["results.json"]
        official = json.loads(archive.read("results.json"))
    assert official == [{key: entry[key] for key in OFFICIAL_KEYS} for entry in results]
    return results


def test_perfect_predictions_twice_in_a_row(load_split, run, tmp_path: Path) -> None:
    metric = YouTubeVISMetric(outfile_prefix=str(tmp_path / "out/results"))
    for _ in range(2):
        values = run(metric, load_split())
        assert set(values) == {f"youtube_vis/{name}" for name in NAMES}
        assert values["youtube_vis/mAP"] == pytest.approx(1.0)
        assert values["youtube_vis/mAP_l"] == -1.0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "results.json",
        "results.zip",
    ]


def test_repeated_json_ids_do_not_matter(load_split, run, shapes_dir: Path, tmp_path: Path) -> None:
    content = json.loads((shapes_dir / "valid.json").read_text())
    for annotation in content["annotations"]:
        annotation["id"] = 0
    ann_file = tmp_path / "valid.json"
    ann_file.write_text(json.dumps(content))
    values = run(YouTubeVISMetric(), load_split(ann_file=str(ann_file)))
    assert values["youtube_vis/mAP"] == pytest.approx(1.0)


def test_results_have_the_official_form(load_split, run, shapes_dir: Path, tmp_path: Path) -> None:
    prefix = tmp_path / "results"
    run(YouTubeVISMetric(outfile_prefix=str(prefix)), load_split())
    results = read_results(prefix)
    content = json.loads((shapes_dir / "valid.json").read_text())
    assert len(results) == len(content["annotations"])
    for result, annotation in zip(results, content["annotations"], strict=True):
        assert set(result) == {"video_id", "category_id", "score", "id", "segmentations"}
        assert result["video_id"] == annotation["video_id"]
        assert result["category_id"] == annotation["category_id"]
        assert result["score"] == pytest.approx(0.9)
        for rle, area in zip(result["segmentations"], annotation["areas"], strict=True):
            assert (rle is None) == (area is None)
            if rle:
                assert isinstance(rle["counts"], str)
                assert mask_utils.area(rle) == area


def test_hidden_frames_are_null_and_empty_masks_are_not(load_split, run, tmp_path) -> None:
    def change(video):
        empty = results_of(np.zeros((1, 1, *video.size), bool), [0], [0.5], np.ones((1, 1)))
        counts = [[None, empty.counts[0][0], *texts[2:]] for texts in video.counts]
        return replace(video, counts=counts)

    prefix = tmp_path / "results"
    run(YouTubeVISMetric(outfile_prefix=str(prefix)), load_split(), change)
    for result in read_results(prefix):
        assert result["segmentations"][0] is None
        assert mask_utils.area(result["segmentations"][1]) == 0


def test_category_ids_follow_the_chosen_classes(load_split, run, tmp_path: Path) -> None:
    prefix = tmp_path / "results"
    metric = YouTubeVISMetric(outfile_prefix=str(prefix))
    dataset = load_split(metainfo={"classes": ["star", "square"]})
    values = run(metric, dataset)
    assert values["youtube_vis/mAP"] == pytest.approx(1.0)
    assert {result["category_id"] for result in read_results(prefix)} == {4, 2}


def test_a_class_agnostic_dataset_is_evaluated_as_one_class(
    load_split, run, tmp_path: Path, caplog
) -> None:
    prefix = tmp_path / "results"
    metric = YouTubeVISMetric(outfile_prefix=str(prefix), classwise=True)
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    with caplog.at_level("INFO", logger.name):
        values = run(metric, load_split(class_agnostic=True))
    assert values["youtube_vis/mAP"] == pytest.approx(1.0)
    assert {result["category_id"] for result in read_results(prefix)} == {1}
    assert re.search(r"mask AP per class\n +object +1.000", caplog.text)


def test_classes_as_one_beside_the_numbers_by_class(load_split, run) -> None:
    def relabel(video):
        return replace(video, labels=(video.labels + 1) % 4)

    values = run(YouTubeVISMetric(class_agnostic=True), load_split(), relabel)
    assert set(values) == {
        f"youtube_vis/{prefix}{name}" for name in NAMES for prefix in ("", "class_agnostic_")
    }
    assert values["youtube_vis/mAP"] < 0.5
    assert values["youtube_vis/class_agnostic_mAP"] == pytest.approx(1.0)


def test_order_and_padding_of_distributed_samplers_do_not_matter(load_split, run, tmp_path) -> None:
    files, values = [], []
    for name, order in (("a", [0, 1, 2, 3, 4]), ("b", [3, 1, 4, 0, 2, 3])):
        metric = YouTubeVISMetric(outfile_prefix=str(tmp_path / name))
        values.append(run(metric, load_split(), order=order))
        files.append((tmp_path / f"{name}.json").read_bytes())
    assert values[0] == values[1]
    assert files[0] == files[1]


def test_a_part_of_the_videos_is_evaluated_alone(load_split, run) -> None:
    values = run(YouTubeVISMetric(), load_split(indices=2))
    assert values["youtube_vis/mAP"] == pytest.approx(1.0)


@pytest.mark.parametrize("annotations", ["missing", None, []])
def test_without_ground_truth_results_are_written_and_no_ap_is_given(
    load_split, run, shapes_dir: Path, tmp_path: Path, annotations: object, caplog
) -> None:
    content = json.loads((shapes_dir / "valid.json").read_text())
    del content["annotations"]
    if annotations != "missing":
        content["annotations"] = annotations
    ann_file = tmp_path / "valid.json"
    ann_file.write_text(json.dumps(content))
    dataset = load_split(ann_file=str(ann_file))
    annotated = load_split()
    metric = YouTubeVISMetric(outfile_prefix=str(tmp_path / "results"))
    dataset.get_data_info = annotated.get_data_info  # something to predict
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    with caplog.at_level("INFO", logger.name):
        assert run(metric, dataset) == {}
    assert "has no ground truth" in caplog.text
    assert "mAP" not in caplog.text
    assert len(read_results(tmp_path / "results")) == 11


def test_no_instances_at_all_score_zero(load_split, run, tmp_path: Path) -> None:
    def nothing(video):
        masks = np.zeros((0, video.num_frames, *video.size), bool)
        return results_of(masks, [], [], video_id=video.video_id)

    metric = YouTubeVISMetric(outfile_prefix=str(tmp_path / "results"))
    values = run(metric, load_split(), nothing)
    assert values["youtube_vis/mAP"] == 0.0
    assert read_results(tmp_path / "results") == []


def test_classwise_log(load_split, run, caplog) -> None:
    logger = MMLogger.get_current_instance()
    logger.addHandler(caplog.handler)
    with caplog.at_level("INFO", logger.name):
        run(YouTubeVISMetric(classwise=True), load_split())
    table = caplog.text.split("mask AP per class")[1]
    assert all(name in table for name in ("disc", "square", "triangle", "star"))
    assert re.search(r"mAP_l +n/a\n", caplog.text)


def test_clips_are_refused(load_split, run) -> None:
    with pytest.raises(ValueError, match=r"video 1: the sample has 4 of 5 frames"):
        run(YouTubeVISMetric(), load_split(), lambda video: replace(video, video_length=5))


def test_boxes_alone_are_refused(load_split, run) -> None:
    with pytest.raises(ValueError, match="video 1: the model predicts boxes only"):
        run(YouTubeVISMetric(), load_split(), lambda video: replace(video, counts=None))


def test_nothing_is_written_without_runner_and_prefix(
    load_split, run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run(YouTubeVISMetric(), load_split())
    assert list(tmp_path.iterdir()) == []


def test_a_failing_write_leaves_no_half_file(load_split, run, tmp_path: Path, monkeypatch) -> None:
    prefix = tmp_path / "results"
    prefix.with_suffix(".json").write_text("old")

    def fail(*args, **kwargs):
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="disk full"):
        run(YouTubeVISMetric(outfile_prefix=str(prefix)), load_split())
    assert [path.name for path in tmp_path.iterdir()] == ["results.json"]
    assert prefix.with_suffix(".json").read_text() == "old"
