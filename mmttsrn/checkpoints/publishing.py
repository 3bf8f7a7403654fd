"""From a training checkpoint to the files that are released."""

import hashlib
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
from torch import Tensor, nn

from mmttsrn.checkpoints.loading import META_ENTRY, SAFETENSORS_SUFFIX, load_checkpoint_file
from mmttsrn.checkpoints.state import bare_names
from mmttsrn.checkpoints.stored_config import portable_text
from mmttsrn.errors import UserInputError

VERSIONED_PACKAGES = ("mmttsrn", "torch", "mmengine", "mmcv", "mmdet")
COLLECTION = "TT-SRN"
TASK = "Video Instance Segmentation"
# Keys of a file's place and SHA-256 in the metafile by its suffix.
KEYS = {
    ".pth": ("Weights", "SHA256"),
    SAFETENSORS_SUFFIX: ("Safetensors", "Safetensors SHA256"),
}


@dataclass(frozen=True)
class Release:
    """What has been written: files and their SHA-256 by suffix, and the ``meta`` of both."""

    name: str
    files: dict[str, Path]
    sha256: dict[str, str]
    parameters: int
    meta: dict[str, Any] = field(repr=False)


def publish(
    checkpoint: Mapping[str, Any],
    model: nn.Module,
    cfg: Config,
    name: str,
    out_dir: Path,
    *,
    metrics: Mapping[str, float] | None = None,
    with_safetensors: bool = True,
    half: bool = False,
) -> Release:
    """Write a checkpoint as ``NAME_YYYYMMDD-<sha256[:8]>.pth`` and ``.safetensors``.

    The day is that of the checkpoint. Optimizer, schedulers and the state of hooks are left out. Of
    a run with MMEngine's ``EMAHook`` the averaged weights stay: the hook has put them into
    ``state_dict``, and those of the last step into ``ema_state_dict``. Publishing the same
    checkpoint again writes the same files.

    Args:
        checkpoint: Content of the training checkpoint.
        model: The model that it fits, with its config and name.
        cfg: See above.
        name: See above.
        out_dir: Folder of the files; made if needed.
        metrics: Metrics to state, if any were measured.
        with_safetensors: Write the second file as well.
        half: Keep weights as float16, in half the space; loading makes them float32 again.

    Raises:
        UserInputError: The name is not one of a file, the checkpoint names another number of
            classes than the model predicts, a weight is too large for float16, or the files, read
            again, hold other weights.
    """
    if not re.fullmatch(r"[A-Za-z0-9][\w.+-]*", name):
        raise UserInputError(f"--name {name}: expected letters, digits and . _ + - only")
    # Copies that share no memory, which safetensors asks for.
    state = {
        name: tensor.detach().clone().contiguous()
        for name, tensor in bare_names(checkpoint["state_dict"]).items()
    }
    if half:
        state = {name: _as_half(name, tensor) for name, tensor in state.items()}
    meta = published_meta(checkpoint, cfg, metrics)
    classes, predicted = meta["dataset_meta"]["classes"], model.get_submodule("head").num_classes
    if classes is not None and len(classes) != predicted:
        expected = f"dataset_meta.classes: expected {predicted}, as model.head predicts"
        raise ValueError(f"{expected}, got {len(classes)}; correct or remove them")
    out_dir.mkdir(parents=True, exist_ok=True)
    # The name needs the hash of the file, so that it is written under another one first.
    with TemporaryDirectory(prefix=".publish-", dir=out_dir) as folder:
        drafts = _write(Path(folder), meta, state, with_safetensors)
        digests = {draft.suffix: pooch.file_hash(str(draft)) for draft in drafts}
        saved = str((checkpoint.get("meta") or {}).get("time"))
        stem = f"{name}_{saved[:8] if re.match(r'[0-9]{8}', saved) else time.strftime('%Y%m%d')}"
        files = {
            draft.suffix: draft.replace(
                out_dir / f"{stem}-{digests[draft.suffix][:8]}{draft.suffix}"
            )
            for draft in drafts
        }
    return Release(name, files, digests, parameter_count(model)[""], meta)


def _as_half(name: str, tensor: Tensor) -> Tensor:
    """Weights (...) as float16; counters stay as they are."""
    if not tensor.is_floating_point():
        return tensor
    half = tensor.half()
    if not half.isfinite().all():
        raise UserInputError(f"{name}: a weight is too large for float16; leave --half out")
    return half


def model_entry(
    release: Release, config: str, location: str, dataset: str | None
) -> dict[str, Any]:
    """Return the entry of a release in a metafile.

    Args:
        release: What has been published.
        config: Path of its config in the repository.
        location: What comes before the names of the files: a URL, a hub id or a folder, which is
            relative to that of the metafile or absolute.
        dataset: Name of the data that the metrics were measured on; without it they are left out.
    """
    meta = release.meta
    entry: dict[str, Any] = {
        "Name": release.name,
        "In Collection": COLLECTION,
        "Config": config,
        "Metadata": {"Parameters": release.parameters, "Config Hash": meta["config_hash"]},
    }
    if dataset is not None:
        entry["Metadata"]["Training Data"] = dataset
        if meta["metrics"]:
            metrics = {name: round(value, 4) for name, value in meta["metrics"].items()}
            entry["Results"] = [{"Task": TASK, "Dataset": dataset, "Metrics": metrics}]
    for suffix, path in release.files.items():
        place, digest = KEYS[suffix]
        entry |= {place: f"{location.rstrip('/')}/{path.name}", digest: release.sha256[suffix]}
    return entry


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
        "config_hash": hashlib.sha256(text.encode()).hexdigest()[:16],
        "dataset_meta": {"classes": list(classes) if classes is not None else None},
        "versions": {
            package: str(importlib.import_module(package).__version__)
            for package in VERSIONED_PACKAGES
        },
        "metrics": dict(metrics or {}),
        "ema": "ema_state_dict" in checkpoint,
    }
    return meta | {key: int(source[key]) for key in ("epoch", "iter") if key in source}


def _write(
    folder: Path, meta: dict[str, Any], state: dict[str, Tensor], with_safetensors: bool
) -> list[Path]:
    """Write the files; read them again as a user will, and compare the weights."""
    # torch.save writes the name of the file into it: one name for all gives equal bytes.
    drafts = [folder / "checkpoint.pth"]
    torch.save({"meta": meta, "state_dict": state}, drafts[0])
    if with_safetensors:
        drafts.append(folder / f"checkpoint{SAFETENSORS_SUFFIX}")
        # One entry only: safetensors writes several in a random order.
        save_file(state, drafts[1], metadata={META_ENTRY: json.dumps(meta)})
        drafts[1].chmod(drafts[0].stat().st_mode)  # the writer lets nobody else read it
    for draft in drafts:
        read = load_checkpoint_file(draft)["state_dict"]
        if not all(torch.equal(read[name], tensor) for name, tensor in state.items()):
            raise UserInputError(f"{draft.name}: read again, it holds other weights")
    return drafts
