"""Memory of the training process in runs without an accelerator."""

import resource
import sys
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmttsrn.registry import HOOKS

# ru_maxrss counts KiB on Linux, bytes on macOS.
_UNITS_PER_MIB = 2**20 if sys.platform == "darwin" else 2**10


@HOOKS.register_module()
class HostMemoryHook(Hook):
    """Peak resident memory of the training process, logged in MiB as ``host_memory``.

    MMEngine logs the memory of accelerators only; with one, this hook does nothing.
    """

    # Before LoggerHook, which has BELOW_NORMAL.
    priority = "NORMAL"

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Record the peak so far."""
        if not torch.cuda.is_available():
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _UNITS_PER_MIB
            runner.message_hub.update_scalar("train/host_memory", peak)
