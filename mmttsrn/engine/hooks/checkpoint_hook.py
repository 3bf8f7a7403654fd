"""Checkpoints of a training; a readable one is there at any time."""

from contextlib import suppress
from inspect import signature
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.fileio import LocalBackend
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner

from mmttsrn.checkpoints.run_checkpoints import (
    BACKEND,
    WholeFileBackend,
    is_whole,
    point_to,
    remove_partial_files,
)
from mmttsrn.errors import UserInputError
from mmttsrn.registry import HOOKS

WITHIN_EPOCH = "iter_{}.pth"


@HOOKS.register_module()
class SafeWriteCheckpointHook(CheckpointHook):
    """MMEngine's hook, safe against an end of the process at any moment.

    A checkpoint is written next to its place and moved there; the ones not kept are removed
    when the new one is there whole; ``last_checkpoint`` names it relative to the work folder, which
    can be moved. On other storage than local files it is MMEngine's hook.

    Args:
        *args: Arguments of :class:`mmengine.hooks.CheckpointHook`.
        **kwargs: The same; one that it does not take is a ``UserInputError``.
    """

    file_backend: Any
    filename_tmpl: str
    max_keep_ckpts: int
    _last_step = -1  # of the last checkpoint

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # MMEngine hands on what it does not know, and the first checkpoint fails.
        for key in self.args.keys() - signature(Runner.save_checkpoint).parameters.keys():
            raise UserInputError(f"default_hooks.checkpoint: takes no {key!r}; check its spelling")

    def before_train(self, runner: Runner) -> None:
        """Take the storage of the checkpoints over, and remove what a killed run has left."""
        super().before_train(runner)
        if type(self.file_backend) is LocalBackend and self.file_client_args is None:
            self.backend_args = dict(backend=BACKEND)
            self.file_backend = WholeFileBackend()
            if is_main_process():
                remove_partial_files(Path(self.out_dir))

    def save_now(self, runner: Runner, step: int) -> Path:
        """Save after ``step`` steps, wherever in an epoch, unless that was just done.

        In a run whose checkpoints are by epoch, this one is removed with the next of them.
        """
        if self.last_ckpt is None or self._last_step != step:
            regular = self.filename_tmpl, self.max_keep_ckpts
            if self.by_epoch:
                self.filename_tmpl, self.max_keep_ckpts = WITHIN_EPOCH, -1
            meta = dict(epoch=runner.epoch, iter=step)
            self._save_checkpoint_with_step(runner, step, meta)
            self.filename_tmpl, self.max_keep_ckpts = regular
        return Path(str(self.last_ckpt))

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict[str, Any]) -> None:
        # In the end MMEngine writes the path of the checkpoint to a file. A locale may have no
        # characters for it; the file is written anew below.
        with suppress(UnicodeEncodeError):
            super()._save_checkpoint_with_step(runner, step, meta)
        self._last_step = meta["iter"]
        self._finish(Path(str(self.last_ckpt)))

    def _save_best_checkpoint(self, runner: Runner, metrics: dict[str, Any]) -> None:
        super()._save_best_checkpoint(runner, metrics)
        if isinstance(self.file_backend, WholeFileBackend) and is_main_process():
            self.file_backend.remove_noted()

    def _finish(self, written: Path) -> None:
        """Remove old checkpoints once the new one is there."""
        if not isinstance(self.file_backend, WholeFileBackend) or not is_main_process():
            return
        if not is_whole(written):
            raise OSError(f"{written}: was not written whole; check the disk")
        point_to(written)
        if self.by_epoch:
            for path in written.parent.glob(WITHIN_EPOCH.format("*")):
                if path != written:
                    self.file_backend.remove(path)
        self.file_backend.remove_noted()
