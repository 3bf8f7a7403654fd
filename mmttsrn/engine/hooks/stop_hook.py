"""The end of a training that was asked to stop."""

from typing import Any

import torch
from mmengine.dist import all_reduce, get_world_size
from mmengine.hooks import EMAHook, Hook
from mmengine.runner import Runner

from mmttsrn.engine.hooks.checkpoint_hook import SafeWriteCheckpointHook
from mmttsrn.engine.stopping import TrainingStopped, stop_request
from mmttsrn.registry import HOOKS

BATCHES_PER_QUESTION = 2  # of a validation in several processes


@HOOKS.register_module()
class StopHook(Hook):
    """Ends a training that was asked to stop after the step that it is at, with a checkpoint.

    Processes that train together stop after the same step, whichever of them was asked. It raises
    :class:`~mmttsrn.engine.stopping.TrainingStopped`. Without a ``SafeWriteCheckpointHook`` it does
    nothing.
    """

    priority = "LOWEST"
    _shared_batches = 0
    _question: tuple[torch.Tensor, Any] | None = None

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Stop if that was asked for."""
        is_asked = stop_request.is_set
        if get_world_size() > 1:
            flag = _on_device_of(runner, is_asked)
            all_reduce(flag, op="max")
            is_asked = bool(flag.item())
        if is_asked:
            self._save_and_stop(runner, runner.iter + 1)

    def before_val(self, runner: Runner) -> None:
        """Find out how many batches of the validation all processes have."""
        if get_world_size() > 1:
            fewest = _on_device_of(runner, -len(runner.val_dataloader))
            all_reduce(fewest, op="max")
            self._shared_batches = -int(fewest.item())
            self._question = None

    def after_val_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Stop a validation during training; it is not made up for."""
        if not runner.train_loop.iter or not self._asked_in_validation(runner, batch_idx):
            return
        undo_average(runner)
        self._save_and_stop(runner, runner.iter)

    def _asked_in_validation(self, runner: Runner, batch_idx: int) -> bool:
        """Whether any process was asked, as all of them find out after the same batch.

        The answer is that to the question before, so that a process with a short video need not
        wait for one with a long video.
        """
        if get_world_size() == 1:
            return stop_request.is_set
        if batch_idx % BATCHES_PER_QUESTION or batch_idx >= self._shared_batches:
            return False
        before = self._question
        flag = _on_device_of(runner, stop_request.is_set)
        work = torch.distributed.all_reduce(flag, torch.distributed.ReduceOp.MAX, async_op=True)
        self._question = flag, work
        if before is None:
            return False
        before[1].wait()
        return bool(before[0].item())

    def _save_and_stop(self, runner: Runner, steps: int) -> None:
        saver = next((h for h in runner.hooks if isinstance(h, SafeWriteCheckpointHook)), None)
        if saver is not None:
            raise TrainingStopped(steps, saver.save_now(runner, steps))


def undo_average(runner: Runner) -> None:
    """Put the weights back where a validation has put their average."""
    for hook in runner.hooks:
        if isinstance(hook, EMAHook):
            hook.after_val_epoch(runner)


def _on_device_of(runner: Runner, value: float) -> torch.Tensor:
    return torch.tensor(float(value), device=next(runner.model.parameters()).device)
