"""From a training checkpoint to the files that are released."""

import importlib
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pooch
import torch
from mmengine.analysis import parameter_count
from mmengine.config import Config
from safetensors.torch import save_file
from torch import Tensor

from mmttsrn.checkpoints.loading import META_ENTRY, SAFETENSORS_SUFFIX, load_checkpoint_file
from mmttsrn.checkpoints.state import bare_names
from mmttsrn.checkpoints.stored_config import config_hash, portable_text
from mmttsrn.errors import UserInputError

VERSIONED_PACKAGES = ("mmttsrn", "torch", "mmengine", "mmcv", "mmdet")
# Frames of the clip on which the files are compared with the checkpoint, in pixels.
CHECK_SIZE = (64, 96)


@dataclass(frozen=True)
class Release:
    """What has been written.

    Args:
        name: Name of the model.
        files: Path of each file by suffix.
        sha256: SHA-256 of each file by suffix.
        parameters: Number of parameters.
        meta: What both files have as ``meta``.
    """

    name: str
    files: dict[str, Path]
    sha256: dict[str, str]
    parameters: int
    meta: dict[str, Any] = field(repr=False)


def publish(
    checkpoint: Mapping[str, Any],
    model: Any,
    cfg: Config,
    name: str,
    out_dir: Path,
    *,
    metrics: Mapping[str, float] | None = None,
    date: str | None = None,
    with_safetensors: bool = True,
) -> Release:
    """Write a checkpoint as ``NAME_YYYYMMDD-<sha256[:8]>.pth`` and ``.safetensors``.

    Optimizer, schedulers and the state of hooks are left out. Of a run with MMEngine's ``EMAHook``
    the averaged weights stay: the hook has put them into ``state_dict``, and those of the last step
    into ``ema_state_dict``. Publishing the same checkpoint again writes the same files.

    Args:
        checkpoint: Content of the training checkpoint, which fits the model.
        model: The model, in evaluation mode; gets the weights.
        cfg: Its config.
        name: Name of the model.
        out_dir: Folder of the files; made if needed.
        metrics: Metrics to state, if any were measured.
        date: YYYYMMDD; by default the day on which the checkpoint was saved, or today.
        with_safetensors: Write the second file as well.

    Returns:
        The files, which have been read again and give the outputs of the checkpoint bit for bit.

    Raises:
        UserInputError: A value is not as expected, or the files do not give the same outputs.
    """
    if not re.fullmatch(r"[A-Za-z0-9][\w.+-]*", name):
        raise UserInputError(f"--name {name}: expected letters, digits and . _ + - only")
    date = date or _date_of(checkpoint)
    if not re.fullmatch(r"\d{8}", date):
        raise UserInputError(f"--date {date}: expected YYYYMMDD")
    # Copies that share no memory, which safetensors asks for.
    state = {
        name: tensor.detach().clone().contiguous()
        for name, tensor in bare_names(checkpoint["state_dict"]).items()
    }
    meta = published_meta(checkpoint, cfg, metrics)
    model.load_state_dict(state)
    outputs = check_outputs(model)
    out_dir.mkdir(parents=True, exist_ok=True)
    # The name needs the hash of the file, so that it is written under another one first.
    with TemporaryDirectory(prefix=".publish-", dir=out_dir) as folder:
        drafts = _write(Path(folder), meta, state, with_safetensors)
        for draft in drafts.values():
            _verify(draft, model, outputs)
        digests = {suffix: pooch.file_hash(str(draft)) for suffix, draft in drafts.items()}
        files = {
            suffix: draft.replace(out_dir / f"{name}_{date}-{digests[suffix][:8]}{suffix}")
            for suffix, draft in drafts.items()
        }
    return Release(name, files, digests, parameter_count(model)[""], meta)


def check_class_names(model: Any, checkpoint: Mapping[str, Any], source: str) -> None:
    """Check that a checkpoint names as many classes as its model predicts, or none.

    Raises:
        UserInputError: It names others.
    """
    classes = ((checkpoint.get("meta") or {}).get("dataset_meta") or {}).get("classes")
    for name, head in model.named_children():
        predicted = getattr(head, "num_classes", None)
        if classes is not None and predicted not in (None, len(classes)):
            raise UserInputError(
                f"{source}: meta.dataset_meta.classes: names {len(classes)} classes, but {name} of"
                f" its model predicts {predicted}; correct or remove them"
            )


def published_meta(
    checkpoint: Mapping[str, Any], cfg: Config, metrics: Mapping[str, float] | None = None
) -> dict[str, Any]:
    """Return the ``meta`` of a released file: plain data that json can hold.

    ``dataset_meta`` keeps the classes only; the rest are paths of one machine.
    """
    source = checkpoint.get("meta") or {}
    classes = (source.get("dataset_meta") or {}).get("classes")
    text = portable_text(cfg)
    meta = {
        "cfg": text,
        "config_hash": config_hash(text),
        "dataset_meta": {"classes": list(classes) if classes is not None else None},
        "versions": {
            package: str(importlib.import_module(package).__version__)
            for package in VERSIONED_PACKAGES
        },
        "metrics": dict(metrics or {}),
        "ema": "ema_state_dict" in checkpoint,
    }
    return meta | {key: int(source[key]) for key in ("epoch", "iter") if key in source}


def validation_metrics(checkpoint: Mapping[str, Any], file_name: str) -> dict[str, float]:
    """Return metrics of a checkpoint's weights by name, where it is certain that they are theirs.

    MMEngine saves first and validates then: what a checkpoint has logged is the result of older
    weights. Only ``best_*.pth`` is saved after its own validation; any other file has none.

    Raises:
        UserInputError: Its record of the training is broken.
    """
    hub = checkpoint.get("message_hub")
    if hub is None:
        return {}
    try:
        best = hub.get("runtime_info", {}).get("best_ckpt")
        if not best or Path(best).name != file_name:
            return {}
        values = {
            name.removeprefix("val/"): float(buffer.current())
            for name, buffer in hub["log_scalars"].items()
            if name.startswith("val/") and not name.endswith("time") and len(buffer.data[0])
        }
    # Of what another program has written, anything may be missing or of another type.
    except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise UserInputError(
            f"{file_name}: message_hub: not as MMEngine writes it ({type(error).__name__}:"
            f" {error}); remove it, and give --metrics"
        ) from error
    # -1: the data have no object that the metric is about.
    return {name: value for name, value in values.items() if value >= 0}


@torch.no_grad()
def check_outputs(model: Any) -> list[Tensor]:
    """Return raw outputs of a model for one small clip, the same in every call."""
    frames = torch.randn(
        1, model.head.num_frames, 3, *CHECK_SIZE, generator=torch.Generator().manual_seed(0)
    )
    return [output for output in model(frames, mode="tensor") if output is not None]


def _write(
    folder: Path, meta: dict[str, Any], state: dict[str, Tensor], with_safetensors: bool
) -> dict[str, Path]:
    # torch.save writes the name of the file into it: one name for all gives equal bytes.
    pth, safetensors = (folder / f"checkpoint{end}" for end in (".pth", SAFETENSORS_SUFFIX))
    torch.save({"meta": meta, "state_dict": state}, pth)
    if not with_safetensors:
        return {pth.suffix: pth}
    # One entry only: safetensors writes several in a random order.
    save_file(state, safetensors, metadata={META_ENTRY: json.dumps(meta)})
    safetensors.chmod(pth.stat().st_mode)  # the writer lets nobody else read it
    return {pth.suffix: pth, safetensors.suffix: safetensors}


def _verify(draft: Path, model: Any, expected: list[Tensor]) -> None:
    """Read a file as a user will and compare the outputs."""
    model.load_state_dict(load_checkpoint_file(draft)["state_dict"])
    outputs = check_outputs(model)
    if len(outputs) != len(expected) or not all(map(torch.equal, outputs, expected)):
        raise UserInputError(
            f"{draft.name}: read again, it gives other outputs than the checkpoint; nothing was "
            "published (NaN in the weights?)"
        )


def _date_of(checkpoint: Mapping[str, Any]) -> str:
    saved = str((checkpoint.get("meta") or {}).get("time") or "")
    return saved[:8] if re.match(r"\d{8}", saved) else time.strftime("%Y%m%d")
