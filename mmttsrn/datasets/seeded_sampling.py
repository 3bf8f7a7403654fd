"""Random numbers of a sample that depend on its place in the training alone.

A worker of a data loader draws random numbers for one sample after the other, so that a run that
goes on with fresh workers augments otherwise than one that was never stopped. Here each index that
a sampler gives carries a seed of its own, whatever worker loads it.
"""

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple


class SeededIndex(NamedTuple):
    """What a sampler asks a data set for.

    Attributes:
        value: The index of the sampler.
        seed: For the random numbers of this sample.
    """

    value: Any
    seed: int


class SeededSampler:
    """The indices of a sampler, each with a seed.

    Args:
        sampler: Gives the indices. ``set_epoch`` and ``skip`` are to be called on it.
        seed: Of the run.
        rank: Which of the processes that train together this is.

    Attributes:
        epoch: How often the sampler was gone through.
        start: Position, in the indices of this epoch, of the first one that the sampler gives.
        skipped: Indices to leave out at the beginning of the next iteration.
    """

    def __init__(self, sampler: Iterable[Any], seed: int, rank: int) -> None:
        self.sampler = sampler
        self.seed = seed
        self.rank = rank
        self.epoch = 0
        self.start = 0
        self.skipped = 0

    def __iter__(self) -> Iterator[SeededIndex]:
        """Give the indices."""
        epoch, start, skipped = self.epoch, self.start, self.skipped
        self.start = self.skipped = 0
        for position, value in enumerate(self.sampler, start):
            if position < start + skipped:
                continue
            key = ("sample", self.seed, self.rank, epoch, position)
            yield SeededIndex(value, derived_seed(*key))
        self.epoch = epoch + 1

    def __len__(self) -> int:
        """Return the number of indices of the sampler."""
        return len(self.sampler)  # type: ignore[arg-type]


def derived_seed(*key: str | int) -> int:
    """Seed of 32 bits for what a key names."""
    return int.from_bytes(hashlib.sha256(repr(key).encode()).digest()[:4], "big")
