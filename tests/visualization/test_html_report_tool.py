"""The command that writes pages from a results file."""

import importlib.util
import json
import re
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[2] / "tools" / "visualization" / "html_report.py"


@pytest.fixture
def report(vis_files, capsys):
    """Runs the tool in this process; gives exit code and the lines of both streams."""
    spec = importlib.util.spec_from_file_location("html_report", TOOL)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)

    def run(*options, out="out"):
        files = [str(vis_files / "instances.json"), str(vis_files / "results.json")]
        folders = ["--img-root", str(vis_files / "frames"), "--out", str(vis_files / out)]
        code = 0
        try:
            tool.main([*files, *folders, *options])
        except SystemExit as end:
            code = end.code
        captured = capsys.readouterr()
        return code, captured.out.splitlines(), captured.err.splitlines()

    return run


def test_a_page_for_each_video_with_its_numbers(report, vis_files):
    code, lines, errors = report()
    assert (code, errors) == (0, [])
    assert [Path(line).name for line in lines] == ["first.html", "second.html"]
    text = Path(lines[0]).read_text()
    content = json.loads(re.search(r'json">(.*?)</script>', text, re.DOTALL)[1])
    truth = json.loads((vis_files / "instances.json").read_text())
    video = next(video for video in truth["videos"] if video["file_names"][0].startswith("first"))
    assert content["num_frames"] == video["length"]
    assert (content["width"], content["height"]) == (video["width"], video["height"])
    annotated = [a for a in truth["annotations"] if a["video_id"] == video["id"]]
    assert len(content["truth"]["instances"]) == len(annotated)
    assert dict(content["truth"]["numbers"])["mask AP"]
    assert content["instances"]


def test_only_the_first_videos(report):
    assert len(report("--max-videos", "1")[1]) == 1


def test_a_file_in_place_of_the_folder_is_refused(report, vis_files):
    (vis_files / "taken").write_text("")
    code, _, errors = report(out="taken/deeper")
    assert code == 2
    assert "is not a folder" in errors[-1]
