"""Checkpoints that are broken, belong to another model, or would run code."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from commands import run_command
from faults import MISSING, NAN, PATHS, put, refused
from good_inputs import RELEASE, GoodInputs
from planted import plant_call, plant_getattr, plant_plain_pickle
from safetensors.torch import save

from mmttsrn.apis.config_file import load_config
from mmttsrn.apis.init_model import init_model
from mmttsrn.checkpoints import load_checkpoint_file

WEIGHTS = {"a.weight": torch.ones(300, 4), "a.bias": torch.zeros(3)}
FIRST = "backbone.patch_embeds.0.proj.weight"
SAFETENSORS = save(WEIGHTS, {"meta": json.dumps({"epoch": 1})})
LFS_POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"
BROKEN_FILES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda good: b"",
    "text": lambda good: b"this is no checkpoint\n",
    "cut off in the middle": lambda good: good[: len(good) // 2],
    "first 10 bytes cut off": lambda good: good[10:],
    "zeros": lambda good: bytes(5000),
    "empty zip": lambda good: b"PK\x05\x06" + bytes(18),
    "git-lfs pointer": lambda good: LFS_POINTER,
    "huge header": lambda good: b"\xff" * 8 + good[8:],
}


@pytest.mark.parametrize("change", BROKEN_FILES.values(), ids=BROKEN_FILES)
@pytest.mark.parametrize("name", ["a.pth", "a.safetensors", "a.pkl"])
def test_broken_files(tmp_path: Path, name: str, change: Callable[[bytes], bytes]) -> None:
    path = tmp_path / name
    if name == "a.pth":
        torch.save({"state_dict": WEIGHTS}, path)
    else:
        arrays = {key: value.numpy() for key, value in WEIGHTS.items()}
        path.write_bytes(SAFETENSORS if name == "a.safetensors" else pickle.dumps(arrays))
    assert load_checkpoint_file(path)
    path.write_bytes(change(path.read_bytes()))
    with refused(name):
        load_checkpoint_file(path)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors", ".pkl"])
@pytest.mark.parametrize("place", PATHS.values(), ids=PATHS)
def test_paths_of_no_checkpoint(tmp_path: Path, place: Callable, suffix: str) -> None:
    path = place(tmp_path, f"a{suffix}")
    with refused(path.name):
        load_checkpoint_file(path)


@pytest.mark.parametrize("plant", [plant_call, plant_plain_pickle, plant_getattr])
@pytest.mark.parametrize("name", ["a.pth", "a.pkl"])
def test_code_in_a_file_does_not_run(tmp_path: Path, plant: Callable, name: str) -> None:
    marker = tmp_path / "code_ran"
    plant(tmp_path / name, marker)
    with refused(name):
        load_checkpoint_file(tmp_path / name)
    assert not marker.exists()


# From the good weight to one that cannot be used, and what else the message names.
BROKEN_WEIGHTS: dict[str, Callable[[torch.Tensor], Any]] = {
    "of another shape": lambda value: value[:-1].clone(),
    "without dimensions": lambda value: torch.tensor(0.0),
    "NaN": lambda value: torch.full_like(value, NAN),
    "infinite": lambda value: torch.full_like(value, float("inf")),
    "complex": lambda value: value.to(torch.complex64),
    "sparse": lambda value: value.to_sparse(),
    "meta": lambda value: value.to("meta"),
    "missing": lambda value: MISSING,
}
NO_WEIGHTS: dict[str, Any] = {
    "none": {"meta": {}, "state_dict": {}},
    "null": {"meta": {}, "state_dict": None},
    "a list": {"meta": {}, "state_dict": [1]},
    "text": {"state_dict": {FIRST: "text"}},
    "nothing": None,
    "numbers": [1, 2],
    "a tensor": torch.zeros(3),
    "whole model": torch.nn.Linear(2, 2),
}


@pytest.mark.parametrize("change", BROKEN_WEIGHTS.values(), ids=BROKEN_WEIGHTS)
def test_broken_weights(good: GoodInputs, tmp_path: Path, change: Callable) -> None:
    content = good.content()
    value = change(content["state_dict"][FIRST])
    torch.save(put(content, ("state_dict", FIRST), value), tmp_path / "a.pth")
    with refused("a.pth", FIRST):
        init_model(load_config(RELEASE), tmp_path / "a.pth")


@pytest.mark.parametrize("content", NO_WEIGHTS.values(), ids=NO_WEIGHTS)
def test_files_without_weights(tmp_path: Path, content: Any) -> None:
    torch.save(content, tmp_path / "a.pth")
    with refused("a.pth"):
        init_model(load_config(RELEASE), tmp_path / "a.pth")


def change_groups(change: Callable[[list[dict]], list[dict]]) -> Callable[[dict], dict]:
    """Other groups of parameters in the optimizer's state."""

    def changed(content: dict) -> dict:
        groups = content["optimizer"]["param_groups"]
        return put(content, "optimizer.param_groups", change(groups))

    return changed


def number(place: str, value: float) -> Callable[[dict], dict]:
    """Another first number of a tensor."""

    def changed(content: dict) -> dict:
        content["ema_state_dict"] = {"x": torch.zeros(3)}
        node = content
        for key in place.split("."):
            node = node[int(key) if key == "0" else key]
        node.view(-1)[0] = value
        return content

    return changed


def other(place: str, value: Any) -> Callable[[dict], dict]:
    """Another value."""
    return lambda content: put(content, place, value)


# Change of the checkpoint, and what the message names.
RESUMED: dict[str, tuple[Callable[[dict], dict], list[str]]] = {
    "other weights": (lambda c: put(c, ("state_dict", FIRST), MISSING), [FIRST]),
    "no meta": (other("meta", MISSING), ["meta"]),
    "meta null": (other("meta", None), ["meta"]),
    "no iter": (other("meta.iter", MISSING), ["iter"]),
    "iter -1": (other("meta.iter", -1), ["iter"]),
    "iter text": (other("meta.iter", "1"), ["iter"]),
    "seed text": (other("meta.seed", "text"), ["seed"]),
    "no message_hub": (other("message_hub", MISSING), ["message_hub"]),
    "optimizer null": (other("optimizer", None), ["optimizer"]),
    "a group more": (change_groups(lambda groups: [*groups, groups[0]]), ["optimizer"]),
    "other groups": (change_groups(lambda g: [{**g[0], "params": [0]}, *g[1:]]), ["optimizer"]),
    "no parameters": (change_groups(lambda groups: [{"lr": 1.0} for _ in groups]), ["optimizer"]),
    "NaN": (number("optimizer.state.0.exp_avg", NAN), ["optimizer.state.0.exp_avg"]),
    "infinite average": (number("ema_state_dict.x", float("inf")), ["ema_state_dict.x"]),
}
PUBLISHED: dict[str, tuple[Callable[[dict], dict], list[str]]] = {
    "no meta": (other("meta", MISSING), ["meta"]),
    "meta a list": (other("meta", [1]), ["meta"]),
    "no config": (other("meta.cfg", MISSING), ["cfg"]),
    "config a number": (other("meta.cfg", 5), ["cfg"]),
    "config of text": (other("meta.cfg", "this is no config"), ["cfg"]),
    "config a program": (other("meta.cfg", "open('code_ran', 'w')\nmodel = dict()"), ["cfg"]),
    "type of a function": (other("meta.cfg", "model = dict(type='os.system')"), ["cfg"]),
    "classes a number": (other("meta.dataset_meta.classes", 5), ["classes"]),
    "classes too few": (other("meta.dataset_meta.classes", ["disc"]), ["classes"]),
}


@pytest.mark.parametrize(("change", "says"), RESUMED.values(), ids=RESUMED)
def test_a_training_cannot_go_on(
    good: GoodInputs, tmp_path: Path, change: Callable, says: list[str]
) -> None:
    torch.save(change(good.content()), tmp_path / "a.pth")
    words = ("train.py", good.config, "--work-dir", "out", "--resume", "a.pth")
    run_command(*words, folder=tmp_path).check_refused("a.pth", *says)


@pytest.mark.parametrize(("change", "says"), PUBLISHED.values(), ids=PUBLISHED)
def test_a_checkpoint_cannot_be_published(
    good: GoodInputs, tmp_path: Path, change: Callable, says: list[str]
) -> None:
    torch.save(change(good.content()), tmp_path / "a.pth")
    words = ("model_converters/publish_model.py", "a.pth", "out/release")
    run_command(*words, folder=tmp_path).check_refused("a.pth", *says)


def test_weights_that_are_no_numbers_are_refused_by_every_command(
    good: GoodInputs, tmp_path: Path
) -> None:
    content = good.content()
    content["state_dict"][FIRST].view(-1)[0] = NAN
    torch.save(content, tmp_path / "a.pth")
    train = ("train.py", good.config, "--work-dir", "out")
    for words in (
        ("test.py", good.config, "a.pth", "--work-dir", "out"),
        (*train, "--resume", "a.pth"),
        (*train, "--cfg-options", "load_from=a.pth"),
        ("inference.py", good.video, "--model", RELEASE, "--weights", "a.pth", "--device", "cpu"),
        ("model_converters/publish_model.py", "a.pth", "out/release"),
    ):
        run_command(*words, folder=tmp_path).check_refused("a.pth", FIRST)
