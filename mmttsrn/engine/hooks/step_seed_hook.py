"""Random numbers of each training step from its number, so that a resumed run goes on exactly."""

from typing import Any

from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop, Runner, set_random_seed
from torch.utils.data import BatchSampler, DataLoader

from mmttsrn.datasets.seeded_sampling import SeededSampler, derived_seed
from mmttsrn.datasets.youtube_vis import YouTubeVISVideos
from mmttsrn.registry import HOOKS


@HOOKS.register_module()
class StepSeedHook(Hook):
    """Seeds each step and each sample by the seed of the run and their numbers.

    A run that was stopped after any step and goes on from its checkpoint then draws what it would
    have drawn, with any number of workers of the data loader. An epoch that was stopped in the
    middle is finished with the samples that are left of it.

    It needs :class:`~mmttsrn.datasets.YouTubeVISVideos`, batches of one size and one of MMEngine's
    training loops; without, a line in the log says that resuming is not exact.
    """

    priority = "VERY_HIGH"

    def __init__(self) -> None:
        self.sampler: SeededSampler | None = None
        self.first_seed: int | None = None

    def before_run(self, runner: Runner) -> None:
        """Note the seed before a checkpoint is read, which may bring another one."""
        self.first_seed = runner.seed

    def before_train(self, runner: Runner) -> None:
        """Let the samples carry seeds, from where the run goes on."""
        loop = runner.train_loop
        loader = loop.dataloader
        problem = _obstacle(loop, loader)
        if problem is not None:
            print_log(f"Resuming this run will not be exact: {problem}.", logger="current")
            return
        inner = loader.batch_sampler.sampler
        if getattr(inner, "seed", None) == self.first_seed:
            inner.seed = runner.seed
        self.sampler = SeededSampler(inner, runner.seed, get_rank())
        loader.batch_sampler.sampler = self.sampler
        if isinstance(loop, IterBasedTrainLoop):
            # MMEngine leaves out the samples of the steps so far; where it can without loading
            # them, the sampler begins with the next one.
            if hasattr(inner, "skip"):
                self.sampler.start = runner.iter * loader.batch_size
            # Older versions have begun to iterate already.
            loop.dataloader_iterator = type(loop.dataloader_iterator)(loader)
        else:
            steps = runner.iter - runner.epoch * len(loader)
            self.sampler.skipped = max(steps, 0) * loader.batch_size

    def before_train_epoch(self, runner: Runner) -> None:
        """Tell the epoch."""
        if self.sampler is not None and isinstance(runner.train_loop, EpochBasedTrainLoop):
            self.sampler.epoch = runner.epoch

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Seed the step."""
        set_random_seed(derived_seed("step", runner.seed, get_rank(), runner.iter))


def _obstacle(loop: Any, loader: DataLoader) -> str | None:
    """Why samples cannot carry seeds; None if they can."""
    if not isinstance(loop, (EpochBasedTrainLoop, IterBasedTrainLoop)):
        return f"{type(loop).__name__} is none of MMEngine's training loops"
    if not isinstance(loader.dataset, YouTubeVISVideos):
        return f"samples of {type(loader.dataset).__name__} cannot be seeded one by one"
    if type(loader.batch_sampler) is not BatchSampler:
        return f"{type(loader.batch_sampler).__name__} does not give batches of one size"
    return None
