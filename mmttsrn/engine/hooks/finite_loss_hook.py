"""What becomes of a training whose loss is not finite."""

from pathlib import Path
from typing import Any

import torch
from mmengine.dist import all_reduce, get_rank, get_world_size
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import Tensor

from mmttsrn.checkpoints.stored_config import portable_text
from mmttsrn.engine.hooks.step_seed_hook import StepSeedHook
from mmttsrn.errors import DivergedError
from mmttsrn.formats.output_files import replace_file
from mmttsrn.registry import HOOKS


@HOOKS.register_module()
class FiniteLossHook(Hook):
    """Ends a training whose loss is NaN or infinite before the weights take any of it.

    It raises :class:`~mmttsrn.errors.DivergedError`. What the step needs to be looked into is
    written by :meth:`dump`, which ``tools/train.py`` calls.

    Args:
        max_skipped: Such steps that are left out first, in the whole training: no update of the
            weights, and a line in the log.
    """

    def __init__(self, max_skipped: int = 0) -> None:
        self.max_skipped = max_skipped
        self.skipped = 0
        self.data_batch: Any = None

    def before_train(self, runner: Runner) -> None:
        """Stand between the loss and the update of the weights."""
        update, zero_grad = runner.optim_wrapper.update_params, runner.optim_wrapper.zero_grad

        def update_if_finite(loss: Tensor, *args: Any, **kwargs: Any) -> None:
            if _is_finite_everywhere(loss):
                update(loss, *args, **kwargs)
                return
            self.skipped += 1
            what = f"step {runner.iter + 1}: the loss is {loss.item()}"
            if self.skipped > self.max_skipped:
                raise DivergedError(what)
            print_log(
                f"{what} for {self.clips()}; left out, {self.skipped} of at most "
                f"{self.max_skipped}",
                "current",
            )
            if get_world_size() > 1:
                loss.backward()  # processes that train together wait for one another here
            zero_grad()

        runner.optim_wrapper.update_params = update_if_finite

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Note the batch."""
        self.data_batch = data_batch

    def clips(self) -> str:
        """Files of the frames in the batch of the step."""
        samples = self.data_batch.get("data_samples", []) if self.data_batch else []
        return "; ".join(_frames_of(sample) for sample in samples) or "this batch"

    def dump(self, runner: Runner, seeds: StepSeedHook) -> Path:
        """Write weights before the step, config, and seeds and indices of its samples.

        Returns:
            The file, in the work folder, for ``tools/analysis_tools/replay_step.py``.
        """
        path = Path(runner.work_dir) / f"diverged_step_{runner.iter + 1}_rank_{get_rank()}.pth"
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        content = {
            "meta": {"cfg": portable_text(runner.cfg), "step": runner.iter + 1},
            "state_dict": model.state_dict(),
            "seed": seeds.seed_of(runner),
            "samples": [(index.value, index.seed) for index in seeds.batch],
        }
        replace_file(path, lambda partial: torch.save(content, partial))
        return path


def _is_finite_everywhere(loss: Tensor) -> bool:
    finite = loss.detach().isfinite().all().float()
    if get_world_size() > 1:
        all_reduce(finite, op="min")
    return bool(finite.item())


def _frames_of(sample: Any) -> str:
    """File of the first frame of a clip, and the numbers of all."""
    paths: list[str] = []
    numbers: list[str] = []
    for frame in getattr(sample, "video_data_samples", [sample]):
        # A host may list the frames of a clip in one sample.
        for values, key in ((paths, "img_path"), (numbers, "frame_id")):
            value = frame.metainfo.get(key)
            values += map(str, value if isinstance(value, list) else [value])
    return f"{paths[0]} (frames {', '.join(numbers)})"
