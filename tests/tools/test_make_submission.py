import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from vis_json import ground_truth, perfect_results
from vis_json_faults import FAULTS

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


@pytest.mark.parametrize("name", FAULTS)
def test_broken_entry(run_tool, files, name):
    field, value, message = FAULTS[name]
    entries = json.loads(files[1].read_text())
    entries[1][field] = value
    files[1].write_text(json.dumps(entries))
    status, lines, errors = run_tool(TOOL, *files)
    assert (status, lines) == (2, [])
    assert len(errors) == 2
    assert errors[0].startswith(f"{files[1]}: entry 1: {message}")
    assert errors[1] == (
        f"error: {files[1]}: 1 problem in 3 entries, listed above; no zip file was written"
    )
    assert {path.name for path in files[0].parent.iterdir()} == {"videos.json", "results.json"}


def test_all_problems_are_listed_as_a_user_sees_them(files, tmp_path):
    entries = json.loads(files[1].read_text())
    entries[0]["score"], entries[1]["video_id"] = 3, 404
    entries.append(entries[2])
    files[1].write_text(json.dumps(entries))
    tool = Path(__file__).resolve().parents[2] / "tools" / TOOL
    command = [sys.executable, "-W", "ignore", tool, *files, "--out", "out.zip"]
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert (result.returncode, result.stdout) == (2, "")
    name = files[1]
    assert result.stderr.splitlines() == [
        f"{name}: entry 0: score: expected 0 to 1, got 3",
        f"{name}: entry 1: video_id: expected an id of {files[0]}, such as 1, got 404",
        f"{name}: entry 3: all fields: identical to entry 2; remove it",
        f"error: {name}: 3 problems in 4 entries, listed above; no zip file was written",
    ]
    assert not (tmp_path / "out.zip").exists()


def test_truncated_json(run_tool, files):
    files[1].write_text(files[1].read_text()[:-20])
    status, _, errors = run_tool(TOOL, *files)
    assert status == 2
    assert len(errors) == 1
    assert errors[0].startswith(f"error: {files[1]}: not valid json")


@pytest.mark.parametrize(
    ("out", "expected"),
    [
        ("out.json", "argument --out: expected a name that ends with .zip, got 'out.json'"),
        ("videos.json/out.zip", "videos.json is no folder"),
    ],
)
def test_outputs_are_checked_first(run_tool, files, monkeypatch, out, expected):
    monkeypatch.chdir(files[0].parent)
    files[1].write_text("broken")
    status, _, errors = run_tool(TOOL, *files, "--out", out)
    assert status == 2
    assert expected in errors[-1]


def test_missing_file(run_tool, files):
    status, _, errors = run_tool(TOOL, files[0], "missing.json")
    assert (status, errors) == (
        2, ["error: missing.json: cannot be read (No such file or directory); check the path"],
    )  # fmt: skip
