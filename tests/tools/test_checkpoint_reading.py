"""How often the commands read the checkpoint that they are given, and how long they keep it."""

import gc
import weakref
from pathlib import Path

import pytest
import torch
from foreign_paths import foreign_path
from mmengine.logging import MessageHub

from mmttsrn.apis.building import build_from_config
from mmttsrn.apis.config_file import load_config
from mmttsrn.checkpoints import load_checkpoint_file
from mmttsrn.datasets.synthetic import write_moving_shapes
from mmttsrn.hosts.mmdet import TTSRN

CONFIG = "ttsrn_tiny_shapes"
CHECKPOINT = "given.pth"
# The checkpoint has a neck, so that what this one starts from is not looked for.
PRETRAINED = """
_base_ = "mmttsrn::vis/ttsrn_tiny_shapes.py"
init_cfg = dict(type="mmttsrn.PretrainedWeights", checkpoint="missing.pth")
model = dict(neck=dict(init_cfg=init_cfg))
"""
COMMANDS = {
    "test": ["test.py", "pretrained.py", CHECKPOINT],
    "resume": ["train.py", "pretrained.py", "--resume", CHECKPOINT],
    "load_from": ["train.py", "pretrained.py"],
    "resume from the latest": ["train.py", CONFIG, "--resume"],
}


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A folder with data, a checkpoint and the note of the latest one."""
    monkeypatch.chdir(tmp_path)
    write_moving_shapes(
        tmp_path / "data", train_clips=1, val_clips=1, num_frames=5, size=[64, 96], max_objects=2
    )
    (tmp_path / "pretrained.py").write_text(PRETRAINED)
    model = build_from_config(load_config(CONFIG))
    content = {
        "meta": {"epoch": 0, "iter": 1},
        "state_dict": model.state_dict(),
        "message_hub": MessageHub.get_instance("given").state_dict(),
    }
    torch.save(content, CHECKPOINT)
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "last_checkpoint").write_text(CHECKPOINT)
    return tmp_path


def short_run(command):
    """Words of a command that reads the checkpoint.

    The run to go on with is at its end, and one that starts from the weights ends after a step.
    """
    options = [f"{split}_dataloader.dataset.data_root=data/" for split in ("train", "val", "test")]
    options += ["train_cfg.max_iters=1", "default_hooks.checkpoint.interval=9"]
    if command == "load_from":
        options.append(f"load_from={CHECKPOINT}")
    return [*COMMANDS[command], "--work-dir", "work", "--cfg-options", *options]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("command", COMMANDS)
def test_a_run_reads_its_checkpoint_once_and_forgets_it(folder, run_tool, monkeypatch, command):
    reads, contents = [], []

    def spy(path, **options):
        content = load_checkpoint_file(path, **options)
        reads.append(Path(path).name)
        contents.extend(weakref.ref(tensor) for tensor in content["state_dict"].values())
        return content

    monkeypatch.setattr("mmttsrn.checkpoints.host_loading.load_checkpoint_file", spy)
    status, out, err = run_tool(*short_run(command))
    assert status == 0, (out, err)
    assert reads == [CHECKPOINT]
    gc.collect()
    assert not any(reference() is not None for reference in contents)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("command", ["test", "load_from"])
def test_a_run_takes_the_weights_of_a_compiled_model(folder, run_tool, monkeypatch, command):
    """The neck, whose own weights are missing, comes from the checkpoint."""
    loaded = []
    monkeypatch.setattr(
        TTSRN, "_load_from_state_dict", lambda self, state, *_: loaded.append(list(state))
    )
    content = load_checkpoint_file(CHECKPOINT)
    expected = list(content["state_dict"])
    content["state_dict"] = {
        f"module._orig_mod.{name}": tensor for name, tensor in content["state_dict"].items()
    }
    with foreign_path("pathlib", "WindowsPath") as path:
        torch.save({**content, "args": {"out": path}}, CHECKPOINT)
    status, out, err = run_tool(*short_run(command))
    assert status == 0, (out, err)
    assert loaded == [expected]


@pytest.mark.filterwarnings("ignore")
def test_an_older_checkpoint_is_taken_where_the_latest_has_broken_state(folder, run_tool):
    content = load_checkpoint_file(CHECKPOINT)
    torch.save(content, "work/iter_1.pth")
    content["optimizer"] = {"state": {0: {"exp_avg": torch.tensor([float("nan")])}}}
    torch.save(content, "work/iter_2.pth")
    (folder / "work" / "last_checkpoint").write_text("iter_2.pth")
    options = [f"{split}_dataloader.dataset.data_root=data/" for split in ("train", "val", "test")]
    options += ["train_cfg.max_iters=1", "default_hooks.checkpoint.interval=9"]
    arguments = ["train.py", CONFIG, "--resume", "--work-dir", "work", "--cfg-options", *options]
    status, out, err = run_tool(*arguments)
    assert status == 0, (out, err)
    line = next(line for line in err if "iter_2.pth" in line)
    assert "first optimizer.state.0.exp_avg" in line
    assert line.endswith("going on from work/iter_1.pth")


@pytest.mark.filterwarnings("ignore")
def test_classes_of_the_data_are_those_of_the_checkpoint(folder, run_tool):
    content = load_checkpoint_file(CHECKPOINT)
    data = ["test_dataloader.dataset.data_root=data/"]
    arguments = ["test.py", CONFIG, CHECKPOINT, "--work-dir", "work", "--cfg-options", *data]
    for names, expected in ((["square", "triangle", "star", "disc"], 0), (list("abcd"), 2)):
        content["meta"]["dataset_meta"] = {"classes": names}
        torch.save(content, CHECKPOINT)
        status, _, err = run_tool(*arguments)
        assert status == expected
    assert "expected the classes of the checkpoint, ['a', 'b', 'c', 'd'], got" in err[-1]
    assert run_tool(*arguments, "--allow-class-mismatch")[0] == 0
