import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from vis_json import ground_truth, perfect_results, square

TOOL = "analysis_tools/eval_vis.py"
ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "tests/data/vis_eval"
SHARED = ROOT / "../shared/fixtures/vis_eval"


@pytest.fixture
def files(tmp_path):
    """Ground truth of three videos and perfect results."""
    truth = ground_truth()
    (tmp_path / "gt.json").write_text(json.dumps(truth))
    (tmp_path / "results.json").write_text(json.dumps(perfect_results(truth)))
    return tmp_path / "gt.json", tmp_path / "results.json"


def break_entry(path, field, value):
    entries = json.loads(path.read_text())
    entries[1][field] = value
    path.write_text(json.dumps(entries))


def test_table_has_the_official_numbers_and_nothing_else_is_printed():
    command = [
        sys.executable,
        "-W",
        "ignore",
        ROOT / "tools" / TOOL,
        DATA / "gt.json",
        DATA / "results.json",
    ]
    result = subprocess.run(command, capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")
    title, *rows = result.stdout.splitlines()
    assert title == f"{DATA}/results.json on {DATA}/gt.json, mask IoU"
    expected = json.loads((DATA / "expected.json").read_text())["stats"]
    assert {row.split()[0]: row.split()[1] for row in rows} == {
        name: f"{value:.4f}" for name, value in expected.items()
    }


def test_all_classes_as_one(run_tool, files):
    gt, results = files
    break_entry(results, "category_id", 9)
    out = gt.parent / "metrics.json"
    arguments = (gt, results, "--compare", results, "--out", out, "--class-agnostic")
    status, lines, errors = run_tool(TOOL, *arguments)
    assert (status, errors) == (0, [])
    assert lines[0] == f"{results} on {gt}, mask IoU, all classes as one"
    content = json.loads(out.read_text())
    assert content["class_agnostic"] is True
    assert content["stats"]["mAP"] == pytest.approx(1.0)
    assert content["comparison"]["stats"] == content["stats"]
    assert content["errors"]["counts"]["class"] == 0
    assert [(one["id"], one["name"]) for one in content["per_class"]] == [(3, "object")]
    run_tool(TOOL, *arguments[:-1])
    content = json.loads(out.read_text())
    assert content["class_agnostic"] is False
    assert content["stats"]["mAP"] < 1


@pytest.mark.parametrize("folder", [DATA, SHARED], ids=["data", "shared"])
def test_everything_is_written(run_tool, tmp_path, folder):
    if not folder.is_dir():
        pytest.skip("needs 11 MB in ../shared/fixtures; the other case has a set that ships")
    status, lines, errors = run_tool(
        TOOL, folder / "gt.json", folder / "results.json", "--per-class", "--by-size",
        "--by-length", "--errors", "--plots", tmp_path / "new/plots",
        "--out", tmp_path / "new/metrics.json", "--threads", 1,
    )  # fmt: skip
    assert (status, errors) == (0, [])
    titles = [line for line in lines if line and not line.startswith(" ")]
    assert [title.split(":")[0] for title in titles[1:5]] == [
        "By class", "By size", "By number of frames", "Errors",
    ]  # fmt: skip
    plots = ["precision_recall.png", "classes.png", "errors.png"]
    assert titles[5:] == [
        *[f"wrote {tmp_path}/new/plots/{name}" for name in plots],
        f"wrote {tmp_path}/new/metrics.json",
    ]
    for name in plots:
        Image.open(tmp_path / "new/plots" / name).verify()
    written = {path.name for path in (tmp_path / "new").rglob("*.*")}
    assert written == {*plots, "metrics.json"}
    metrics = json.loads((tmp_path / "new/metrics.json").read_text())
    assert_official(metrics, folder)
    assert metrics["errors"]["ap"] == pytest.approx(metrics["stats"]["mAP_50"], abs=1e-12)


def assert_official(metrics, folder):
    """The numbers of the official program, by class as well, in full precision."""
    if folder == DATA:
        expected = json.loads((folder / "expected.json").read_text())
        stats, by_class = expected["stats"], expected["category_ap"]
        assert metrics["stats"] == pytest.approx(stats, abs=1e-12)
        found = {str(entry["id"]): entry["mAP"] for entry in metrics["per_class"]}
        assert found == pytest.approx(by_class, abs=1e-12)
    else:
        official = json.loads((folder / "official.json").read_text())
        stats = list(official["stats"].values())
        assert list(metrics["stats"].values()) == pytest.approx(stats, abs=1e-12)


def test_comparison_shows_the_worst_video_first(run_tool, files, tmp_path):
    truth = json.loads(files[0].read_text())
    other = tmp_path / "other.json"
    other.write_text(json.dumps([*perfect_results(truth)[:1], perfect_results(truth)[2]]))
    status, lines, errors = run_tool(
        TOOL, files[0], other, "--compare", files[1], "--out", tmp_path / "m.json"
    )
    assert (status, errors) == (0, [])
    start = lines.index(f"Comparison with {files[1]}")
    assert lines[start + 2].split() == ["mAP", "0.7525", "1.0000", "-0.2475"]
    start = lines.index("By video, largest loss first")
    assert lines[start + 2].split() == ["2", "20", "1", "0.0000", "1.0000", "-1.0000"]
    comparison = json.loads((tmp_path / "m.json").read_text())["comparison"]
    assert [video["video_id"] for video in comparison["per_video"]] == [2, 1, 3]


def test_boundary_iou_is_below_that_of_masks(run_tool, files):
    entries = json.loads(files[1].read_text())
    for entry in entries:  # moved by a pixel
        masks = entry["segmentations"]
        masks[:-1] = [square(frame % 40 + 1) for frame in range(len(masks) - 1)]
    files[1].write_text(json.dumps(entries))
    found = {}
    for option in ("--threads=1", "--boundary"):
        status, lines, _ = run_tool(TOOL, *files, option)
        assert status == 0
        found[lines[0].split(", ")[1]] = lines[1].split()[1]
    # 90 of 110 pixels of the masks are shared, and 18 of 54 of their outlines.
    assert found == {"mask IoU": "0.7000", "boundary IoU": "0.0000"}


def test_empty_masks_beside_polygons_are_absent(run_tool, files):
    masks = [[[0, 4, 10, 4, 10, 14, 0, 14]], square(1), []]
    entries = json.loads(files[1].read_text())
    entries[0]["segmentations"] = masks
    files[1].write_text(json.dumps(entries))
    status, lines, errors = run_tool(TOOL, *files)
    assert (status, errors) == (0, [])
    assert lines[1].split()[:2] == ["mAP", "1.0000"]


def test_no_ground_truth(run_tool, files):
    truth = json.loads(files[0].read_text())
    truth["annotations"] = None
    files[0].write_text(json.dumps(truth))
    status, lines, errors = run_tool(TOOL, *files)
    assert (status, lines, len(errors)) == (2, [], 1)
    assert "has no ground truth, so there is nothing to evaluate against" in errors[0]
