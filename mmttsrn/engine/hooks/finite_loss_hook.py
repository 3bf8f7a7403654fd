"""What becomes of a training whose loss is not finite."""

from typing import Any

from mmengine.dist import all_reduce, get_world_size
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner
from torch import Tensor

from mmttsrn.errors import DivergedError
from mmttsrn.registry import HOOKS


@HOOKS.register_module()
class FiniteLossHook(Hook):
    """Ends a training whose loss is NaN or infinite before the weights take any of it.

    It raises :class:`~mmttsrn.errors.DivergedError`; ``tools/train.py`` adds the clips of the step.

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
