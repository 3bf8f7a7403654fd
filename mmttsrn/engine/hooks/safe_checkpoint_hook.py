"""Safe reading of checkpoints in runs that another program than ours has started."""

from contextlib import ExitStack

from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmttsrn.checkpoints.host_loading import safe_host_loading
from mmttsrn.registry import HOOKS


@HOOKS.register_module()
class SafeCheckpointHook(Hook):
    """From the start of a run to its end, MMEngine runs no code from checkpoints that it reads.

    The runner reads ``load_from``, ``resume`` and the ``init_cfg`` of modules after ``before_run``.
    ``tools/train.py`` and ``tools/test.py`` read safely by themselves, and there the hook does
    nothing; this one is for the launchers of MMDetection and mim, and for scripts. After a run that
    fails, the process goes on reading safely.
    """

    priority = "VERY_HIGH"

    def __init__(self) -> None:
        self._safety = ExitStack()

    def before_run(self, runner: Runner) -> None:
        """Begin."""
        self._safety.enter_context(safe_host_loading())

    def after_run(self, runner: Runner) -> None:
        """End."""
        self._safety.close()
