"""How the workers of a data loader hand their batches over: as bytes, through their pipe alone.

PyTorch puts each tensor into shared memory with a file descriptor of its own: more than a hundred
for a clip of 36 frames. Where the limit of open files or ``/dev/shm`` (64 MB in Docker) is too
small, a thread of the worker prints a traceback, and the loader waits for ever.
"""

import io
import pickle
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.utils.data import get_worker_info

from mmttsrn.errors import input_errors


class CollateToBytes:
    """Collates samples, in a worker of a data loader to bytes that the main process unpacks.

    Args:
        collate: Makes a batch of a list of samples.
        place: Key of the config that errors name.

    Raises:
        UserInputError: The samples cannot be collated, or a worker cannot pickle the batch.
    """

    def __init__(self, collate: Callable[[Sequence[Any]], Any], place: str) -> None:
        self.collate = collate
        self.place = place

    def __call__(self, samples: Sequence[Any]) -> Any:
        """Make a batch."""
        with input_errors(f"{self.place}: collate_fn"):
            batch = self.collate(samples)
        if get_worker_info() is None:
            return batch
        # Here, and not in the thread that writes to the pipe, an error reaches the main process.
        with input_errors(f"{self.place}: a worker cannot hand a batch over; try num_workers=0"):
            return _PickledBatch(batch)


class _PickledBatch:
    """A batch as bytes; the batch itself once it has been pickled and unpickled."""

    def __init__(self, batch: Any) -> None:
        content = io.BytesIO()
        _ArrayPickler(content, protocol=5).dump(batch)
        self.content = content.getvalue()

    def __reduce__(self) -> tuple[Callable[[bytes], Any], tuple[bytes]]:
        return pickle.loads, (self.content,)


class _ArrayPickler(pickle.Pickler):
    """Pickles tensors as arrays; PyTorch would write each as a checkpoint, which takes longer."""

    def reducer_override(self, value: Any) -> Any:
        if type(value) is torch.Tensor:
            try:
                return torch.from_numpy, (value.numpy(),)
            except (RuntimeError, TypeError):
                pass  # NumPy has none like it: bfloat16, sparse, with a gradient
        return NotImplemented
