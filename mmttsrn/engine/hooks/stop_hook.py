"""The end of a training that was asked to stop."""

from typing import Any

import torch
from mmengine.dist import all_reduce, get_world_size
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmttsrn.engine.hooks.checkpoint_hook import SafeWriteCheckpointHook
from mmttsrn.engine.stopping import TrainingStopped, stop_request
from mmttsrn.registry import HOOKS


@HOOKS.register_module()
class StopHook(Hook):
    """Ends a training that was asked to stop after the step that it is at, with a checkpoint.

    Processes that train together stop after the same step, whichever of them was asked. It raises
    :class:`~mmttsrn.engine.stopping.TrainingStopped`. Without a ``SafeWriteCheckpointHook`` it does
    nothing.
    """

    priority = "LOWEST"

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Stop if that was asked for."""
        self._stop(runner, runner.iter + 1)

    def after_val_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Stop a validation during training; it is not made up for."""
        if runner.train_loop.iter and get_world_size() == 1:
            self._stop(runner, runner.iter)

    def _stop(self, runner: Runner, steps: int) -> None:
        is_asked = stop_request.is_set
        if get_world_size() > 1:
            flag = torch.tensor(float(is_asked), device=next(runner.model.parameters()).device)
            all_reduce(flag, op="max")
            is_asked = bool(flag.item())
        saver = next((h for h in runner.hooks if isinstance(h, SafeWriteCheckpointHook)), None)
        if is_asked and saver is not None:
            raise TrainingStopped(steps, saver.save_now(runner, steps))
