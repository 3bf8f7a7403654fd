"""From a training checkpoint to the files that are released."""

import hashlib
import json

import pytest
import torch
from published import CLASSES, training_checkpoint

from mmttsrn.apis.building import build_from_config
from mmttsrn.checkpoints import load_checkpoint_file, publishing
from mmttsrn.checkpoints.publishing import publish
from mmttsrn.checkpoints.stored_config import stored_config
from mmttsrn.errors import UserInputError


@pytest.fixture(scope="module")
def checkpoint():
    return training_checkpoint()


@pytest.fixture(scope="module")
def release(checkpoint, tmp_path_factory):
    cfg = stored_config(checkpoint, "x.pth")
    return publish(
        checkpoint,
        build_from_config(cfg),
        cfg,
        "tiny",
        tmp_path_factory.mktemp("release"),
        metrics={"youtube_vis/mAP": 0.5},
    )


def test_names_hold_day_and_hash(release):
    assert set(release.files) == {".pth", ".safetensors"}
    for suffix, path in release.files.items():
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        assert path.name == f"tiny_20260102-{digest[:8]}{suffix}"
        assert release.sha256[suffix] == digest
        assert path.stat().st_mode == release.files[".pth"].stat().st_mode
        assert sorted(p.name for p in path.parent.iterdir()) == sorted(
            p.name for p in release.files.values()
        )


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_weights_alone_with_those_of_the_average(release, checkpoint, suffix):
    content = load_checkpoint_file(release.files[suffix])
    assert set(content) == {"meta", "state_dict"}
    assert set(content["state_dict"]) == set(checkpoint["state_dict"])
    for name, tensor in checkpoint["state_dict"].items():  # where EMAHook puts the average
        assert torch.equal(content["state_dict"][name], tensor), name


def test_meta_says_what_it_is(release, checkpoint):
    first, second = (load_checkpoint_file(path)["meta"] for path in release.files.values())
    assert first == second == json.loads(json.dumps(first))
    assert first["dataset_meta"] == {"classes": list(CLASSES)}
    assert first["metrics"] == {"youtube_vis/mAP": 0.5}
    assert first["versions"]["torch"] == torch.__version__
    assert first["config_hash"] == hashlib.sha256(first["cfg"].encode()).hexdigest()[:16]
    assert first["iter"] == 1800
    assert first["ema"] is True
    assert stored_config({"meta": first}, "").model == stored_config(checkpoint, "").model
    assert "/home/somebody" not in json.dumps(first)


def test_the_same_again_gives_the_same_files(release, checkpoint, tmp_path):
    cfg = stored_config(checkpoint, "x.pth")
    again = publish(
        checkpoint, build_from_config(cfg), cfg, "tiny", tmp_path, metrics=release.meta["metrics"]
    )
    assert again.sha256 == release.sha256


def test_names_of_a_wrapped_model_are_published_bare(release, checkpoint, tmp_path):
    cfg = stored_config(checkpoint, "")
    state = {f"module.{name}": tensor for name, tensor in checkpoint["state_dict"].items()}
    wrapped = {**checkpoint, "state_dict": state}
    model = build_from_config(cfg)
    again = publish(wrapped, model, cfg, "tiny", tmp_path, metrics=release.meta["metrics"])
    assert again.sha256 == release.sha256


def test_without_safetensors(release, checkpoint, tmp_path):
    cfg = stored_config(checkpoint, "x.pth")
    model, metrics = build_from_config(cfg), release.meta["metrics"]
    one = publish(checkpoint, model, cfg, "tiny", tmp_path, metrics=metrics, with_safetensors=False)
    assert [path.name for path in tmp_path.iterdir()] == [release.files[".pth"].name]
    assert set(one.files) == set(one.sha256) == {".pth"}


def test_without_average(tmp_path):
    checkpoint = training_checkpoint(with_ema=False)
    cfg = stored_config(checkpoint, "")
    release = publish(checkpoint, build_from_config(cfg), cfg, "tiny", tmp_path)
    assert release.meta["ema"] is False


@pytest.mark.parametrize("classes", [["disc"], ["a"] * 9])
def test_names_of_other_classes_are_refused(checkpoint, tmp_path, classes):
    cfg = stored_config(checkpoint, "x.pth")
    other = {**checkpoint, "meta": {"dataset_meta": {"classes": classes}}}
    with pytest.raises(ValueError, match=f"expected 4, as model.head predicts, got {len(classes)}"):
        publish(other, build_from_config(cfg), cfg, "tiny", tmp_path)


def test_other_weights_stop_it_and_nothing_is_left(checkpoint, tmp_path, monkeypatch):
    def load_wrongly(path):
        content = load_checkpoint_file(path)
        next(iter(content["state_dict"].values())).add_(1)
        return content

    monkeypatch.setattr(publishing, "load_checkpoint_file", load_wrongly)
    cfg = stored_config(checkpoint, "")
    with pytest.raises(UserInputError, match="it holds other weights"):
        publish(checkpoint, build_from_config(cfg), cfg, "tiny", tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["a/b", ""])
def test_bad_names_are_refused(checkpoint, tmp_path, name):
    cfg = stored_config(checkpoint, "")
    with pytest.raises(UserInputError, match="--name"):
        publish(checkpoint, build_from_config(cfg), cfg, name, tmp_path)


def test_half_precision_takes_half_the_space_and_is_loaded_as_before(release, checkpoint, tmp_path):
    cfg = stored_config(checkpoint, "x.pth")
    model = build_from_config(cfg)
    half = publish(checkpoint, model, cfg, "tiny", tmp_path, half=True)
    for suffix, path in half.files.items():
        assert path.stat().st_size < 0.6 * release.files[suffix].stat().st_size
        model.load_state_dict(load_checkpoint_file(path)["state_dict"])
        for name, tensor in model.state_dict().items():
            expected = checkpoint["state_dict"][name]
            assert tensor.dtype == expected.dtype
            torch.testing.assert_close(tensor, expected, rtol=1e-3, atol=1e-6)


def test_a_weight_that_is_too_large_for_half_precision_is_refused(checkpoint, tmp_path):
    cfg = stored_config(checkpoint, "x.pth")
    state = dict(checkpoint["state_dict"])
    name = next(name for name, tensor in state.items() if tensor.is_floating_point())
    state[name] = torch.full_like(state[name], 1e5)
    large = dict(checkpoint, state_dict=state)
    with pytest.raises(UserInputError, match=f"{name}: a weight is too large") as error:
        publish(large, build_from_config(cfg), cfg, "tiny", tmp_path, half=True)
    assert "\n" not in str(error.value)
    assert not list(tmp_path.iterdir())
