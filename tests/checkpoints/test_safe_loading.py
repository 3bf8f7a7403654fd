"""Reading checkpoint files without running code from them."""

import argparse
import json

import numpy as np
import pytest
import torch
from foreign_paths import MODULES, PATHS, foreign_path
from mmengine.logging import MessageHub
from mmengine.optim import MultiStepLR, OneCycleLR
from mmengine.runner.checkpoint import get_torch_safe_globals
from planted import plant_call, plant_getattr, plant_plain_pickle, replace_pickle
from safetensors.torch import save_file
from torch import nn
from torch.serialization import get_safe_globals, safe_globals

from mmttsrn.checkpoints import OVERRIDE_FLAG, load_checkpoint_file
from mmttsrn.errors import UserInputError


@pytest.fixture
def training_state():
    """What MMEngine saves besides the weights: optimizer, schedulers, logs, NumPy numbers."""
    model = nn.Linear(2, 2)
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    schedulers = [OneCycleLR(optimizer, eta_max=1.0, total_steps=9), MultiStepLR(optimizer, [3])]
    hub = MessageHub.get_instance("loading")
    hub.update_scalar("train/loss", 1.5, 2)
    hub.update_info("iter", np.int64(3))
    hub.update_info("best_score", np.float32(0.5))
    return {
        "meta": {"epoch": 1, "dataset_meta": {"classes": ("cat", "dog")}},
        "state_dict": model.state_dict(),
        "message_hub": hub.state_dict(),
        "optimizer": optimizer.state_dict(),
        "param_schedulers": [scheduler.state_dict() for scheduler in schedulers],
        "args": argparse.Namespace(lr=1e-4),
    }


@pytest.mark.parametrize("zipped", [True, False])
def test_training_checkpoint_is_read_whole(tmp_path, training_state, zipped):
    torch.save(training_state, tmp_path / "x.pth", _use_new_zipfile_serialization=zipped)
    content = load_checkpoint_file(tmp_path / "x.pth")
    assert content["message_hub"]["log_scalars"]["train/loss"].current() == 1.5
    assert content["message_hub"]["runtime_info"]["best_score"] == np.float32(0.5)
    assert content["param_schedulers"] == training_state["param_schedulers"]
    assert content["args"] == argparse.Namespace(lr=1e-4)
    assert content["meta"]["dataset_meta"]["classes"] == ("cat", "dog")
    for name, tensor in training_state["state_dict"].items():
        assert torch.equal(content["state_dict"][name], tensor)


def test_arrays_are_saved_as_those_of_numpy(tmp_path, training_state):
    for step in range(2):
        torch.save(training_state, tmp_path / f"{step}.pth")
        training_state = load_checkpoint_file(tmp_path / f"{step}.pth")
    history = training_state["message_hub"]["log_scalars"]["train/loss"].data[0]
    assert isinstance(history, np.ndarray)
    assert set(history.tolist()) == {1.5}
    assert b"safe_arrays" not in (tmp_path / "1.pth").read_bytes()


@pytest.mark.parametrize("dtype", ["f4", ">f8", "i8", "u1", "?", "c8", "U3", "S2"])
def test_arrays_of_numbers_and_text(tmp_path, dtype):
    array = np.array([[0, 1], [2, 3]]).astype(dtype)
    arrays = {"x": array, "y": np.asfortranarray(array), "n": array[0, 1]}
    torch.save(arrays, tmp_path / "x.pth")
    content = load_checkpoint_file(tmp_path / "x.pth")
    for name, expected in arrays.items():
        np.testing.assert_array_equal(content[name], expected)
        assert content[name].dtype == expected.dtype.newbyteorder("=")


@pytest.mark.parametrize("module", ["numpy.core.multiarray", "numpy._core.multiarray"])
def test_numpy_scalars_of_either_major_version(tmp_path, module):
    pickled = b"\x80\x02c" + module.encode() + b"\nscalar\ncnumpy\ndtype\nX\x02\x00\x00\x00i4\x85R"
    raw = b"X\x04\x00\x00\x00" + b"\x07\x00\x00\x00"
    encode = b"c_codecs\nencode\n" + raw + b"X\x06\x00\x00\x00latin1\x86R"
    replace_pickle(tmp_path / "x.pth", pickled + encode + b"\x86R.")
    assert load_checkpoint_file(tmp_path / "x.pth") == 7


@pytest.mark.parametrize("allow_unsafe", [False, True])
@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("name", PATHS)
@pytest.mark.parametrize("module", MODULES)
def test_paths_of_any_system_and_python(tmp_path, module, name, zipped, allow_unsafe):
    with foreign_path(module, name) as path:
        content = {"model": {"x": torch.ones(2)}, "args": argparse.Namespace(out=[path])}
        torch.save(content, tmp_path / "x.pth", _use_new_zipfile_serialization=zipped)
    read = load_checkpoint_file(tmp_path / "x.pth", allow_unsafe=allow_unsafe)
    assert str(read["args"].out[0]) == PATHS[name][1]
    if not allow_unsafe:  # a path that is text only
        assert type(read["args"].out[0]).__name__.startswith("Pure")
    assert torch.equal(read["model"]["x"], torch.ones(2))


def test_methods_of_paths_are_refused(tmp_path):
    replace_pickle(tmp_path / "x.pth", b"\x80\x02cpathlib\nPosixPath.unlink\n.")
    with pytest.raises(UserInputError, match=r"asks for pathlib\.PosixPath\.unlink"):
        load_checkpoint_file(tmp_path / "x.pth")


@pytest.mark.parametrize("wanted", [b"no_such_package\nConfig", b"argparse\nConfig"])
@pytest.mark.parametrize("name", ["x.pth", "x.pkl"])
def test_classes_that_are_not_here_are_no_damage(tmp_path, name, wanted):
    pickled = b"\x80\x02c" + wanted + b"\n)\x81."
    if name == "x.pth":
        replace_pickle(tmp_path / name, pickled)
    else:
        (tmp_path / name).write_bytes(pickled)
    with pytest.raises(UserInputError, match="refused: it asks for"):
        load_checkpoint_file(tmp_path / name)
    with pytest.raises(UserInputError, match="of a class that is not here") as error:
        load_checkpoint_file(tmp_path / name, allow_unsafe=True)
    assert "damaged" not in str(error.value)


@pytest.mark.parametrize(
    ("plant", "wanted"),
    [
        (plant_call, "asks for pathlib"),
        (plant_plain_pickle, "asks for pathlib"),
        (plant_getattr, "asks for getattr(..., '__self__')"),
    ],
)
def test_file_that_would_run_code_is_refused(tmp_path, plant, wanted):
    marker = tmp_path / "marker"
    path = plant(tmp_path / "x.pth", marker)
    with pytest.raises(UserInputError) as error:
        load_checkpoint_file(path)
    message = str(error.value)
    assert message.startswith(f"{path}: refused: it ")
    assert wanted in message
    assert OVERRIDE_FLAG in message
    assert "\n" not in message
    assert not marker.exists()


def test_override_runs_it(tmp_path):
    """The planted file does what it is planted for, so that the other tests can fail."""
    marker = tmp_path / "marker"
    load_checkpoint_file(plant_call(tmp_path / "x.pth", marker), allow_unsafe=True)
    assert marker.exists()


def test_planted_getattr_beats_a_list_that_has_getattr(tmp_path):
    marker = tmp_path / "marker"
    path = plant_getattr(tmp_path / "x.pth", marker)
    with safe_globals(get_torch_safe_globals()):  # MMEngine's
        torch.load(path, weights_only=True)
        assert marker.exists()
        marker.unlink()
        with pytest.raises(UserInputError, match="refused"):
            load_checkpoint_file(path)
    assert not marker.exists()


def test_what_the_process_allows_is_left_as_it_was(tmp_path):
    torch.save({}, tmp_path / "x.pth")
    with safe_globals([argparse.ArgumentParser]):
        before = set(get_safe_globals())
        load_checkpoint_file(tmp_path / "x.pth")
        assert set(get_safe_globals()) == before


def test_safetensors(tmp_path):
    state = {"weight": torch.randn(2, 3)}
    save_file(state, tmp_path / "bare.safetensors")
    assert torch.equal(
        load_checkpoint_file(tmp_path / "bare.safetensors")["weight"], state["weight"]
    )
    metadata = {"meta": json.dumps({"epoch": 3})}
    save_file(state, tmp_path / "published.safetensors", metadata=metadata)
    content = load_checkpoint_file(tmp_path / "published.safetensors")
    assert content["meta"] == {"epoch": 3}
    assert torch.equal(content["state_dict"]["weight"], state["weight"])
