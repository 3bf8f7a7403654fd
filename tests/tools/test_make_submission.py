import json
import zipfile

import pytest
from vis_json import ground_truth, perfect_results

TOOL = "analysis_tools/make_submission.py"


@pytest.fixture
def files(tmp_path):
    """Videos without ground truth, and results for them."""
    truth = ground_truth()
    results = perfect_results(truth)
    del truth["annotations"]
    (tmp_path / "videos.json").write_text(json.dumps(truth))
    (tmp_path / "results.json").write_text(json.dumps(results))
    return tmp_path / "videos.json", tmp_path / "results.json"


def test_zip_is_made_beside_the_results(run_tool, files):
    status, lines, errors = run_tool(TOOL, *files)
    assert (status, errors) == (0, [])
    path = files[1].with_suffix(".zip")
    assert lines == [
        "3 entries for 3 of 3 videos, no problem found",
        f"{path} is the file to submit",
    ]
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == ["results.json"]
        assert json.loads(archive.read("results.json")) == json.loads(files[1].read_text())


def test_a_broken_entry_leaves_nothing(run_tool, files):
    entries = json.loads(files[1].read_text())
    entries[1]["video_id"] = 404
    files[1].write_text(json.dumps(entries))
    status, lines, errors = run_tool(TOOL, *files)
    assert (status, lines) == (2, [])
    expected = f"expected an id of videos in {files[0]}, such as 1, got 404"
    assert errors == [f"error: {files[1]}: entry 1: video_id: {expected}"]
    assert {path.name for path in files[0].parent.iterdir()} == {"videos.json", "results.json"}
