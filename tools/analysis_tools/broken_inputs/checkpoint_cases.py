"""Checkpoints with a fault."""

import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from broken_inputs.cases import ACCEPTED, EITHER, REFUSED, Case, Fault, Workspace
from broken_inputs.files import PATH_FAULTS
from broken_inputs.mutation import MISSING, NAN, put

RESUME, START = "train: resume", "train: load_from"
USES = ("test", RESUME, START, "inference", "convert", "publish")
NAMES = {
    "test": "checkpoint",
    "inference": "checkpoint",
    "convert": "foreign",
    "publish": "trained",
}


class _Call:
    """Unpickled as the result of a call."""

    def __init__(self, function: Callable, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


def good_path(work: Workspace, use: str) -> Path:
    """Return the good checkpoint of a use."""
    if use == "convert":
        return work.good.folder / "twins.pth"
    return work.good.trained


def with_checkpoint(use: str, path: Path) -> dict[str, Any]:
    """Arguments for another checkpoint."""
    if use == RESUME:
        return {"extra": ["--resume", path, "--cfg-options", "train_cfg.max_iters=2"]}
    if use == START:
        return {"extra": ["--cfg-options", f"load_from={path}"]}
    return {NAMES[use]: path}


def saved(use: str, change: Callable[[dict, Workspace], Any], name: str = "broken.pth") -> Fault:
    """Fault of the content."""

    def fault(work: Workspace) -> dict[str, Any]:
        content = work.good.content(good_path(work, use))
        path = work.inputs / name
        torch.save(change(content, work), path)
        return with_checkpoint(use, path)

    return fault


def raw(use: str, change: Callable[[bytes, Workspace], bytes], name: str = "broken.pth") -> Fault:
    """Fault of the file."""

    def fault(work: Workspace) -> dict[str, Any]:
        path = work.inputs / name
        path.write_bytes(change(good_path(work, use).read_bytes(), work))
        return with_checkpoint(use, path)

    return fault


def safetensors(use: str, change: Callable[[bytes], bytes]) -> Fault:
    """Fault of a safetensors file."""

    def fault(work: Workspace) -> dict[str, Any]:
        path = work.inputs / "broken.safetensors"
        content = work.good.content(good_path(work, use))
        save_file(content.get("state_dict", content), path)
        path.write_bytes(change(path.read_bytes()))
        return with_checkpoint(use, path)

    return fault


def weights(change: Callable[[dict[str, Any]], Any]) -> Callable[[dict, Workspace], Any]:
    """Return a change of the named tensors of a checkpoint, in place."""

    def changed(content: dict, work: Workspace) -> Any:
        change(content.get("state_dict", content))
        return content

    return changed


def _first_weight(state: dict[str, Any]) -> str:
    return next(name for name, value in state.items() if value.ndim > 1)


def _set(make: Callable[[Any], Any]) -> Callable[[dict, Workspace], Any]:
    def change(state: dict[str, Any]) -> None:
        name = _first_weight(state)
        state[name] = make(state[name])

    return weights(change)


def _drop(state: dict[str, Any]) -> None:
    del state[_first_weight(state)]


def _rename(state: dict[str, Any]) -> None:
    state["backbone.unknown"] = state.pop(_first_weight(state))


def _wrap(content: dict, work: Workspace) -> dict[str, Any]:
    state = content.get("state_dict", content)
    return {f"module.{name}": value for name, value in state.items()}


def _groups(content: dict, change: Callable[[list[dict]], list[dict]]) -> dict:
    content["optimizer"]["param_groups"] = change(content["optimizer"]["param_groups"])
    return content


def _joined(groups: list[dict]) -> dict:
    joined = [number for group in groups for number in group["params"]]
    return {**groups[0], "params": joined if len(groups) > 1 else joined[1:]}


def _in_optimizer(content: dict, number: float) -> dict:
    state = content["optimizer"]["state"]
    first = next(iter(state.values()))
    first["exp_avg"].view(-1)[0] = number
    return content


def _broken_average(content: dict) -> dict[str, Any]:
    state = {f"module.{name}": value.clone() for name, value in content["state_dict"].items()}
    state[f"module.{_first_weight(content['state_dict'])}"].view(-1)[0] = NAN
    return state


# By name, what is right and the change of the content.
CONTENTS: dict[str, tuple[str, Callable[[dict, Workspace], Any]]] = {
    "weight missing": (REFUSED, weights(_drop)),
    "weight renamed": (REFUSED, weights(_rename)),
    "weight of another shape": (REFUSED, _set(lambda value: value[:-1].clone())),
    "weight without dimensions": (REFUSED, _set(lambda value: torch.tensor(0.0))),
    "weight NaN": (REFUSED, _set(lambda value: torch.full_like(value, NAN))),
    "weight infinite": (REFUSED, _set(lambda value: torch.full_like(value, float("inf")))),
    "weight of whole numbers": (EITHER, _set(lambda value: value.long())),
    "weight complex": (REFUSED, _set(lambda value: value.to(torch.complex64))),
    "weight of half precision": (EITHER, _set(lambda value: value.half())),
    "weight of text": (REFUSED, _set(lambda value: "text")),
    "weight null": (REFUSED, _set(lambda value: None)),
    "weight a list": (REFUSED, _set(lambda value: value.tolist())),
    "weight sparse": (EITHER, _set(lambda value: value.to_sparse())),
    "weight meta": (REFUSED, _set(lambda value: value.to("meta"))),
    "no weights": (REFUSED, lambda content, work: {"meta": {}, "state_dict": {}}),
    "weights null": (REFUSED, lambda content, work: {"meta": {}, "state_dict": None}),
    "weights a list": (REFUSED, lambda content, work: {"meta": {}, "state_dict": [1]}),
    "null": (REFUSED, lambda content, work: None),
    "list": (REFUSED, lambda content, work: [1, 2]),
    "tensor": (REFUSED, lambda content, work: torch.zeros(3)),
    "names of a wrapped model": (EITHER, _wrap),
    "call of a function": (REFUSED, lambda c, work: {**c, "x": _Call(Path.touch, work.marker)}),
    "whole model": (REFUSED, lambda content, work: torch.nn.Linear(2, 2)),
}
RAW: dict[str, tuple[str, Callable[[bytes, Workspace], bytes]]] = {
    "empty": (REFUSED, lambda good, work: b""),
    "text": (REFUSED, lambda good, work: b"this is no checkpoint\n"),
    "cut off in the middle": (REFUSED, lambda good, work: good[: len(good) // 2]),
    "last byte cut off": (EITHER, lambda good, work: good[:-1]),
    "first 10 bytes cut off": (REFUSED, lambda good, work: good[10:]),
    "zeros": (REFUSED, lambda good, work: bytes(5000)),
    "zeros in the middle": (
        EITHER,
        lambda good, work: good[:5000] + bytes(5000) + good[10_000:],
    ),
    "empty zip": (REFUSED, lambda good, work: b"PK\x05\x06" + bytes(18)),
    "git-lfs pointer": (
        REFUSED,
        lambda good, work: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
    ),
    "plain pickle that calls": (
        REFUSED,
        lambda good, work: pickle.dumps({"state_dict": _Call(Path.touch, work.marker)}, protocol=2),
    ),
}
SAFETENSORS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "safetensors": (EITHER, lambda good: good),
    "safetensors cut off": (REFUSED, lambda good: good[: len(good) // 2]),
    "safetensors empty": (REFUSED, lambda good: b""),
    "safetensors text": (REFUSED, lambda good: b"this is no checkpoint\n"),
    "safetensors of a huge header": (REFUSED, lambda good: b"\xff" * 8 + good[8:]),
    "safetensors of a broken header": (REFUSED, lambda good: good[:8] + b"x" + good[9:]),
}
# Of what only some uses read.
RESUMED: dict[str, tuple[str, Callable[[dict, Workspace], Any]]] = {
    "meta missing": (REFUSED, lambda c, work: put(("meta",), MISSING)(c)),
    "meta null": (REFUSED, lambda c, work: put(("meta",), None)(c)),
    "meta.iter missing": (REFUSED, lambda c, work: put(("meta", "iter"), MISSING)(c)),
    "meta.iter -1": (REFUSED, lambda c, work: put(("meta", "iter"), -1)(c)),
    "meta.iter text": (REFUSED, lambda c, work: put(("meta", "iter"), "1")(c)),
    "meta.iter NaN": (REFUSED, lambda c, work: put(("meta", "iter"), NAN)(c)),
    "meta.iter beyond the end": (EITHER, lambda c, work: put(("meta", "iter"), 10**12)(c)),
    "meta.seed text": (REFUSED, lambda c, work: put(("meta", "seed"), "text")(c)),
    "meta.dataset_meta null": (EITHER, lambda c, work: put(("meta", "dataset_meta"), None)(c)),
    "optimizer missing": (EITHER, lambda c, work: put(("optimizer",), MISSING)(c)),
    "optimizer null": (REFUSED, lambda c, work: put(("optimizer",), None)(c)),
    "optimizer of no groups": (
        REFUSED,
        lambda c, work: put(("optimizer",), {"state": {}, "param_groups": []})(c),
    ),
    "optimizer of one group more": (REFUSED, lambda c, work: _groups(c, lambda g: [*g, g[0]])),
    "optimizer of one group": (REFUSED, lambda c, work: _groups(c, lambda g: [_joined(g)])),
    "optimizer of other groups": (
        REFUSED,
        lambda c, work: _groups(c, lambda g: [{**g[0], "params": [0]}, *g[1:]]),
    ),
    "optimizer of groups without parameters": (
        REFUSED,
        lambda c, work: _groups(c, lambda g: [{"lr": 1.0} for _ in g]),
    ),
    "optimizer NaN": (REFUSED, lambda c, work: _in_optimizer(c, NAN)),
    "optimizer infinite": (REFUSED, lambda c, work: _in_optimizer(c, float("inf"))),
    "average NaN": (REFUSED, lambda c, work: {**c, "ema_state_dict": _broken_average(c)}),
    "message_hub null": (REFUSED, lambda c, work: put(("message_hub",), None)(c)),
    "message_hub missing": (EITHER, lambda c, work: put(("message_hub",), MISSING)(c)),
}
PUBLISHED: dict[str, tuple[str, Callable[[dict, Workspace], Any]]] = {
    "meta missing": (REFUSED, lambda c, work: put(("meta",), MISSING)(c)),
    "meta a list": (REFUSED, lambda c, work: put(("meta",), [1])(c)),
    "meta.cfg missing": (REFUSED, lambda c, work: put(("meta", "cfg"), MISSING)(c)),
    "meta.cfg number": (REFUSED, lambda c, work: put(("meta", "cfg"), 5)(c)),
    "meta.cfg no config": (REFUSED, lambda c, work: put(("meta", "cfg"), "this is no config")(c)),
    "meta.cfg a program": (
        REFUSED,
        lambda c, work: put(("meta", "cfg"), f"open({str(work.marker)!r}, 'w')\nmodel = dict()")(c),
    ),
    "meta.cfg of an unknown type": (
        REFUSED,
        lambda c, work: put(("meta", "cfg"), "model = dict(type='os.system', command='ls')")(c),
    ),
    "meta.time NaN": (EITHER, lambda c, work: put(("meta", "time"), NAN)(c)),
    "meta.dataset_meta text": (
        REFUSED,
        lambda c, work: put(("meta", "dataset_meta"), "text")(c),
    ),
    "classes null": (EITHER, lambda c, work: put(("meta", "dataset_meta", "classes"), None)(c)),
    "classes a number": (REFUSED, lambda c, work: put(("meta", "dataset_meta", "classes"), 5)(c)),
    "classes too few": (
        REFUSED,
        lambda c, work: put(("meta", "dataset_meta", "classes"), ["disc"])(c),
    ),
}
# What a use accepts although it is a fault for others: a start from a part of the weights, and
# conversion, which reports what fits.
PARTIAL = {
    "weight missing",
    "weight renamed",
    "weight of another shape",
    "weight without dimensions",
}
LENIENT = {START: PARTIAL, "convert": PARTIAL}


def checkpoint_cases() -> Iterator[Case]:
    """Cases of broken checkpoints."""
    for use in USES:
        command, _, how = use.partition(": ")
        prefix = f"checkpoint ({how})" if how else "checkpoint"
        for name, (right, change) in CONTENTS.items():
            right = EITHER if name in LENIENT.get(use, ()) else right
            yield Case(command, f"{prefix}: {name}", right, saved(use, change))
        for name, (right, change) in RAW.items():
            yield Case(command, f"{prefix}: {name}", right, raw(use, change))
        for name, (right, change) in SAFETENSORS.items():
            yield Case(command, f"{prefix}: {name}", right, safetensors(use, change))
        for name, place in PATH_FAULTS.items():
            yield Case(
                command,
                f"{prefix}: {name}",
                REFUSED,
                lambda work, use=use, place=place: with_checkpoint(use, place(work.inputs)),
            )
    for name, (right, change) in RESUMED.items():
        yield Case("train", f"checkpoint (resume): {name}", right, saved(RESUME, change))
    for name, (right, change) in PUBLISHED.items():
        yield Case("publish", f"checkpoint: {name}", right, saved("publish", change))
        if name in ("meta a list", "meta.dataset_meta text", "classes a number", "classes null"):
            for use in ("test", "inference"):
                yield Case(use, f"checkpoint: {name}", EITHER, saved(use, change))
    yield Case("train", "checkpoint (resume): good", ACCEPTED, saved(RESUME, lambda c, work: c))
    yield Case("train", "checkpoint (load_from): good", ACCEPTED, saved(START, lambda c, work: c))
    for name in ("call of a function", "whole model"):
        change = CONTENTS[name][1]
        yield Case(
            "convert", f"checkpoint .pkl: {name}", REFUSED, saved("convert", change, "broken.pkl")
        )
    for name in ("empty", "text", "plain pickle that calls"):
        change = RAW[name][1]
        yield Case(
            "convert", f"checkpoint .pkl: {name}", REFUSED, raw("convert", change, "broken.pkl")
        )
