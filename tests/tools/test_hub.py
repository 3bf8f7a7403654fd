"""The commands with a model of the Hugging Face hub."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hub_folders import CLASSES as HUB_CLASSES
from hub_folders import CONFIG, random_state, write_folder, write_model
from made_videos import grey_frames, write_video
from tiny_videomt import write_hub_folder

from mmttsrn.apis import init_model
from mmttsrn.apis.config_file import load_config
from mmttsrn.apis.hub_models import hub_config, use_hub_model
from mmttsrn.checkpoints.hub_folder import open_hub_folder
from mmttsrn.datasets.synthetic import CLASSES, write_moving_shapes

CONVERT = "model_converters/convert_checkpoint.py"
DATA = """
_base_ = ["mmttsrn::vis/ttsrn_ytvis19.py"]
test_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(
        data_root="{data}/", ann_file="valid.json", data_prefix=dict(img_path="valid/JPEGImages")
    ),
)
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A config whose model is another one, and its data of moving shapes."""
    folder = tmp_path_factory.mktemp("data")
    write_moving_shapes(folder / "shapes", 1, 2, num_frames=4, size=(64, 96), max_objects=2)
    (folder / "shapes.py").write_text(DATA.format(data=folder / "shapes"))
    return folder / "shapes.py"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that knows the shapes, in another order than the data."""
    return write_model(tmp_path_factory.mktemp("hub") / "shapes", classes=CLASSES[::-1])


def test_inference(run_tool, folder: Path, tmp_path: Path) -> None:
    video = write_video(tmp_path / "v.mp4", grey_frames(4))
    arguments = ("--out", tmp_path / "out", "--json", "--device", "cpu", "--score-thr", "0")
    status, lines, errors = run_tool("inference.py", video, "--model", folder, *arguments)
    assert status == 0, errors
    assert "4 frames" in lines[-1]
    categories = json.loads((tmp_path / "out" / "v.json").read_text())["categories"]
    assert [category["name"] for category in categories] == list(CLASSES[::-1])


def test_inference_with_a_broken_folder(run_tool, tmp_path: Path) -> None:
    write_folder(tmp_path, None, model_type="bert")
    video = write_video(tmp_path / "v.mp4", grey_frames(2))
    words = (video, "--model", tmp_path, "--out", tmp_path / "out")
    status, _, errors = run_tool("inference.py", *words)
    assert status == 2
    assert errors[-1].startswith(f"error: {tmp_path}/config.json: model_type: expected one of")


def test_videomt_is_tested_on_the_data_of_a_config(run_tool, data: Path, tmp_path: Path) -> None:
    folder = write_hub_folder(tmp_path / "hub", CLASSES)
    run = tmp_path / "run"
    status, _, errors = run_tool("test.py", data, "--model", folder, "--work-dir", run)
    assert status == 0, errors
    found = json.loads((run / "results.json").read_text())
    assert {entry["video_id"] for entry in found} == {1, 2}
    assert len({entry["id"] for entry in found}) > 1


def test_a_hub_model_is_tested_on_the_data_of_a_config(
    run_tool, data: Path, folder: Path, tmp_path: Path
) -> None:
    """The results are those of a whole config of its own and a converted checkpoint."""
    run = tmp_path / "hub"
    status, _, errors = run_tool("test.py", data, "--model", folder, "--work-dir", run)
    assert status == 0, errors
    found = json.loads((run / "results.json").read_text())
    assert found

    cfg = load_config(str(data))
    use_hub_model(cfg, open_hub_folder(folder))
    cfg.dump(tmp_path / "whole.py")
    meta = {"dataset_meta": {"classes": list(CLASSES[::-1])}}
    torch.save({"meta": meta, "state_dict": random_state(folder)}, tmp_path / "whole.pth")
    run = tmp_path / "whole"
    words = (tmp_path / "whole.py", tmp_path / "whole.pth", "--work-dir", run)
    assert run_tool("test.py", *words)[0] == 0
    assert json.loads((run / "results.json").read_text()) == found


def test_own_checkpoint_of_a_hub_model(run_tool, data: Path, folder: Path, tmp_path: Path) -> None:
    torch.save({"state_dict": {"head.x": torch.zeros(1)}}, tmp_path / "mine.pth")
    words = ("test.py", data, tmp_path / "mine.pth", "--model", folder, "--work-dir", tmp_path)
    status, _, errors = run_tool(*words)
    assert status == 2
    assert errors[-1].startswith(f"error: {tmp_path / 'mine.pth'}: a checkpoint of another model")


@pytest.mark.parametrize(
    ("classes", "says"),
    [
        (HUB_CLASSES, "model.head.num_classes=3: set it to 4"),
        (("a", "b", "c", "d"), "expected the classes of the checkpoint, ['a', 'b', 'c', 'd']"),
    ],
)
def test_other_classes_are_refused(run_tool, data: Path, tmp_path: Path, classes, says) -> None:
    model = write_model(tmp_path / "model", classes=classes)
    words = ("test.py", data, "--model", model, "--work-dir", tmp_path / "run")
    status, _, errors = run_tool(*words)
    assert status == 2
    assert says in errors[-1]
    status, _, errors = run_tool(*words, "--allow-class-mismatch")
    assert status == (0 if len(classes) == len(CLASSES) else 2), errors


def test_neither_checkpoint_nor_model_is_a_usage_error(run_tool, data: Path) -> None:
    status, _, errors = run_tool("test.py", data)
    assert status == 2
    assert errors[-1] == "test.py: error: give a CHECKPOINT, or a model of the hub as --model"


@pytest.mark.slow
def test_two_processes_give_the_results_of_one(
    run_tool, data: Path, folder: Path, tmp_path: Path
) -> None:
    words = [str(data), f"--model={folder}"]
    assert run_tool("test.py", *words, "--work-dir", tmp_path / "one")[0] == 0
    script = Path(__file__).resolve().parents[2] / "tools" / "dist_test.sh"
    command = ["bash", script, *words, "2", "--work-dir", tmp_path / "two"]
    subprocess.run(command, check=True, env={**os.environ, "PYTHON": sys.executable})
    one, two = (json.loads((tmp_path / n / "results.json").read_text()) for n in ("one", "two"))
    assert one == two


def test_weights_are_converted_for_a_config(run_tool, tmp_path: Path) -> None:
    """A file of the hub becomes a checkpoint that a training can start from."""
    fields = dict(CONFIG, model_type="mask2former", hidden_dim=64, num_attention_heads=4)
    fields |= dict(feature_size=64, decoder_layers=4)
    hub = write_model(tmp_path / "hub", **fields)
    cfg = hub_config(open_hub_folder(hub))
    cfg.dump(tmp_path / "target.py")
    out = tmp_path / "out.pth"
    source = hub / "pytorch_model.bin"
    words = (CONVERT, source, "--from", "mask2former-hf", "--to", tmp_path / "target.py")
    status, lines, errors = run_tool(*words, "--out", out)
    assert status == 0, errors
    assert lines[-1] == f"wrote {out}"
    expected = init_model(hub).state_dict()
    state = torch.load(out)["state_dict"]
    assert state.keys() == expected.keys()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in state.items())
