"""The command that publishes a checkpoint, and every command that opens one."""

import runpy
import sys
from pathlib import Path

import modelindex
import pytest
from planted import plant_call, plant_getattr
from published import zoo

from mmttsrn.apis import init_model
from mmttsrn.datasets.synthetic import write_moving_shapes

TOOLS = Path(__file__).resolve().parents[2] / "tools"
PUBLISH = "model_converters/publish_model.py"


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    """Run a tool in an empty folder; returns exit status and output."""
    monkeypatch.chdir(tmp_path)

    def run_tool(tool: str, *arguments) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", [tool, *map(str, arguments)])
        status = 0
        try:
            runpy.run_path(str(TOOLS / tool), run_name="__main__")
        except SystemExit as exit_:
            status = exit_.code
        out, err = capsys.readouterr()
        return status, out + err

    return run_tool


def publish_arguments(place, checkpoint=None):
    return [
        checkpoint or place.checkpoint, place.out_dir, "--name", "ttsrn_tiny_demo",
        "--config-path", "configs/vis/ttsrn_tiny_shapes.py", "--dataset", "moving shapes",
        "--metafile", place.metafile,
        "--metrics", "AP=0.125", "AP50=1",
    ]  # fmt: skip


def test_publish_twice_then_load_by_name(run, tmp_path):
    place = zoo(tmp_path)
    status, output = run(PUBLISH, *publish_arguments(place))
    assert status == 0, output
    assert "weights averaged (EMA)" in output
    first = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    status, output = run(PUBLISH, *publish_arguments(place))
    assert status == 0, output
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == first
    index = modelindex.load(str(place.metafile))
    (published,) = (model for model in index.models if model.name == "ttsrn_tiny_demo")
    assert published.results[0].metrics == {"AP": 0.125, "AP50": 1.0}
    model = init_model("ttsrn_tiny_demo", metafile=place.metafile)
    assert model.cfg.model.head.num_classes == 4


CONFIG = "ttsrn_tiny_shapes"
# fmt: off
OPENERS = {
    "train --resume": lambda path: ["train.py", CONFIG, "--resume", path],
    "train load_from": lambda path: ["train.py", CONFIG, "--cfg-options", f"load_from={path}"],
    "test": lambda path: ["test.py", CONFIG, path],
    "publish": lambda path: [PUBLISH, path, "release"],
    "convert": lambda path: [
        "model_converters/convert_checkpoint.py", path, "--from", "vistr",
        "--to", "vistr_r50_ytvis19", "--out", "converted.pth",
    ],
}
# fmt: on


@pytest.mark.filterwarnings("ignore:.*instance named of visualizer:UserWarning")
def test_latest_checkpoint_of_the_work_folder_is_read_safely(run, tmp_path):
    """It is found by the runner itself, after the command has checked what it was given."""
    write_moving_shapes(
        tmp_path / "data", train_clips=1, val_clips=1, num_frames=5, size=[64, 96], max_objects=2
    )
    marker, work_dir = tmp_path / "marker", tmp_path / "work"
    work_dir.mkdir()
    path = plant_call(work_dir / "iter_1.pth", marker)
    (work_dir / "last_checkpoint").write_text(str(path))
    options = [
        f"{split}_dataloader.dataset.data_root={tmp_path}/data/" for split in ("train", "val")
    ]
    status, output = run(
        "train.py", CONFIG, "--resume", "--work-dir", work_dir, "--cfg-options", *options
    )
    assert status == 2, output
    assert f"error: {path}: refused: it asks for " in output
    assert not marker.exists()
    status, output = run(
        "train.py", CONFIG, "--resume", "--work-dir", work_dir, "--allow-unsafe-checkpoint",
        "--cfg-options", *options,
    )  # fmt: skip
    assert status == 2, output  # read, but not a whole training checkpoint
    assert marker.exists()


@pytest.mark.parametrize("plant", [plant_call, plant_getattr])
@pytest.mark.parametrize("opener", OPENERS)
def test_planted_checkpoint_is_refused(run, tmp_path, opener, plant):
    marker = tmp_path / "marker"
    path = plant(tmp_path / "x.pth", marker)
    status, output = run(*OPENERS[opener](path))
    assert status == 2, output
    last = output.strip().splitlines()[-1]
    assert last.startswith(f"error: {path}: refused: it asks for ")
    assert "--allow-unsafe-checkpoint" in last
    assert not marker.exists()
    assert list(tmp_path.iterdir()) == [path]
