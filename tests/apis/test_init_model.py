"""A model by the name of a release or from a config."""

import subprocess
import sys

import pytest
import torch
from foreign_paths import foreign_path
from planted import plant_call
from published import CLASSES, check_outputs, training_checkpoint, zoo

from mmttsrn.apis import init_model
from mmttsrn.apis.building import build_from_config
from mmttsrn.checkpoints.metafile import update_metafile
from mmttsrn.checkpoints.publishing import model_entry, publish
from mmttsrn.checkpoints.stored_config import stored_config
from mmttsrn.errors import UserInputError

NAME = "ttsrn_tiny_demo"
FRESH = """
import sys, torch
from mmttsrn.apis import init_model
from mmttsrn.apis.building import build_from_config
model = init_model({name!r}, metafile={metafile!r})
torch.save(model(torch.load({clip!r}), mode="tensor"), {out!r})
"""


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    """A model zoo with one model, whose weights lie beside the metafile."""
    folder = tmp_path_factory.mktemp("zoo")
    place = zoo(folder)
    place.content = torch.load(place.checkpoint, weights_only=False)
    cfg = stored_config(place.content, "")
    place.release = publish(place.content, build_from_config(cfg), cfg, NAME, place.out_dir)
    entry = model_entry(place.release, "configs/vis/ttsrn_tiny_shapes.py", "release", None)
    update_metafile(place.metafile, entry)
    return place


@pytest.fixture
def expected(released):
    """Outputs of the model that was trained."""
    model = init_model(stored_config(released.content, ""), released.checkpoint)
    return check_outputs(model)


def assert_same(outputs, expected):
    assert len(outputs) == len(expected) == 3
    assert all(map(torch.equal, outputs, expected))


def test_by_name(released, expected):
    model = init_model(NAME, metafile=released.metafile)
    assert not model.training
    assert model.dataset_meta["classes"] == list(CLASSES)
    assert model.cfg.model.head.num_classes == 4
    assert_same(check_outputs(model), expected)


def test_by_name_in_a_fresh_process_elsewhere(released, expected, tmp_path):
    torch.manual_seed(1)
    clip, out = tmp_path / "clip.pt", tmp_path / "out.pt"
    torch.save(torch.randn(1, 4, 3, 64, 96), clip)
    code = FRESH.format(name=NAME, metafile=str(released.metafile), clip=str(clip), out=str(out))
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, cwd=tmp_path)
    model = init_model(stored_config(released.content, ""), released.checkpoint)
    with torch.no_grad():
        here = model(torch.load(clip), mode="tensor")
    assert_same(torch.load(out), here)


def test_by_url_with_a_cache(released, expected, tmp_path, monkeypatch):
    monkeypatch.setenv("MMTTSRN_CACHE", str(tmp_path / "cache"))
    metafile = tmp_path / "metafile.yml"
    metafile.write_text(released.metafile.read_text())
    location = released.out_dir.as_uri()
    entry = model_entry(released.release, "configs/vis/ttsrn_tiny_shapes.py", location, None)
    update_metafile(metafile, entry)
    assert_same(check_outputs(init_model(NAME, metafile=metafile)), expected)
    (cached,) = (path for path in (tmp_path / "cache").rglob("*") if path.is_file())
    assert cached.name == released.release.files[".pth"].name


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_by_config_and_file(released, expected, suffix):
    model = init_model("ttsrn_tiny_shapes", released.release.files[suffix])
    assert_same(check_outputs(model), expected)


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod.", "model."])
def test_weights_of_a_wrapped_model(released, expected, tmp_path, prefix):
    state = {f"{prefix}{k}": v for k, v in released.content["state_dict"].items()}
    with foreign_path("pathlib", "WindowsPath") as path:
        content = {**released.content, "state_dict": state, "args": {"out": path}}
        torch.save(content, tmp_path / "x.pth")
    model = init_model(stored_config(released.content, ""), tmp_path / "x.pth")
    assert_same(check_outputs(model), expected)


@pytest.mark.parametrize("position", [100, -5000])
@pytest.mark.parametrize("by_name", [True, False])
def test_one_other_byte_is_a_hash_mismatch(released, tmp_path, position, by_name):
    folder = tmp_path / "zoo"
    folder.mkdir()
    published = released.release.files[".pth"]
    content = bytearray(published.read_bytes())
    content[position] ^= 1
    (folder / "release").mkdir()
    damaged = folder / "release" / published.name
    damaged.write_bytes(content)
    metafile = folder / "metafile.yml"
    metafile.write_text(released.metafile.read_text())
    arguments = (NAME, None) if by_name else ("ttsrn_tiny_shapes", damaged)
    with pytest.raises(UserInputError, match="hash mismatch") as error:
        init_model(*arguments, metafile=metafile)
    assert str(damaged) in str(error.value)
    assert published.name.split("-")[1][:8] in str(error.value)


def test_override(tmp_path):
    marker = tmp_path / "marker"
    state = training_checkpoint()["state_dict"]
    path = plant_call(tmp_path / "x.pth", marker, state_dict=state)
    init_model("ttsrn_tiny_shapes", path, allow_unsafe=True)
    assert marker.exists()


def test_config_alone_gives_random_weights():
    model = init_model("ttsrn_tiny_shapes")
    assert model.dataset_meta == {}
    assert not model.training
