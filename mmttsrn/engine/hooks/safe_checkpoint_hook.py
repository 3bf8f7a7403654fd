"""Safe reading of checkpoints in runs that another program than ours has started."""

from contextlib import ExitStack
from pathlib import Path

from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner

from mmttsrn.checkpoints.host_loading import safe_host_loading
from mmttsrn.checkpoints.run_checkpoints import latest_readable
from mmttsrn.checkpoints.state import bare_model, take_bare_names
from mmttsrn.host_internals import resume_from, resumes_latest
from mmttsrn.registry import HOOKS


@HOOKS.register_module()
class SafeCheckpointHook(Hook):
    """From the start of a run to its end, MMEngine runs no code from checkpoints that it reads.

    Of the checkpoints in the work folder the latest one that can be read is resumed.
    ``tools/train.py`` and ``tools/test.py`` do all this by themselves; the hook is for the
    launchers of MMDetection and mim, and for scripts. After a run that fails, the process goes on
    reading safely.
    """

    priority = "VERY_HIGH"

    def __init__(self) -> None:
        self._safety = ExitStack()

    def before_run(self, runner: Runner) -> None:
        """Begin."""
        reader = self._safety.enter_context(safe_host_loading())
        bare_model(runner.model).register_load_state_dict_pre_hook(take_bare_names)
        if resumes_latest(runner):
            path, problems = latest_readable(Path(runner.work_dir), reader.read_ahead)
            for problem in problems:
                print_log(f"{problem}; going on from {path}", logger="current")
            if path is not None:
                resume_from(runner, str(path))

    def after_run(self, runner: Runner) -> None:
        """End."""
        self._safety.close()
