"""How the workers of a data loader hand their batches over: each in one piece of memory.

PyTorch puts each tensor into shared memory with a file descriptor of its own: more than a hundred
for a clip of 36 frames. Where the limit of open files or ``/dev/shm`` (64 MB in Docker) is too
small, a thread of the worker prints a traceback, and the loader waits for ever.

Here a batch is one anonymous file in memory, which no size of ``/dev/shm`` limits, with one
descriptor until the main process has it. Where there are no such files (macOS) or descriptors are
short, it goes through the pipe that a loader has with its workers, a little slower.
"""

import io
import os
import pickle
import resource
from collections.abc import Callable, Iterable, Iterator, Sequence
from multiprocessing.reduction import DupFd
from typing import Any

import numpy as np
import torch
from torch.utils.data import get_worker_info

from mmttsrn.errors import input_errors

FREE_FILES = 16  # that a worker leaves for the sending of descriptors
ALIGNMENT = 64  # bytes


class CollateInWorker:
    """Collates samples and, in a worker of a data loader, packs the batch for the main process.

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
            return _PackedBatch(batch)


class _PackedBatch:
    """A batch apart from its arrays, and these; the batch itself once it has come through a pipe.

    Attributes:
        content: Pickle that lacks the memory of arrays and tensors.
        arrays: That memory, array by array.
    """

    def __init__(self, batch: Any) -> None:
        buffers: list[pickle.PickleBuffer] = []
        content = io.BytesIO()
        _ArrayPickler(content, protocol=5, buffer_callback=buffers.append).dump(batch)
        self.content = content.getvalue()
        arrays = [np.frombuffer(buffer.raw(), np.uint8) for buffer in buffers]
        self.arrays = _arrays_in_memory(arrays) or arrays

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[bytes, Iterable[Any]]]:
        return _unpack, (self.content, self.arrays)


def _unpack(content: bytes, arrays: Iterable[Any]) -> Any:
    return pickle.loads(content, buffers=arrays)


class _ArrayPickler(pickle.Pickler):
    """Pickles tensors as arrays; PyTorch would write each as a checkpoint, which takes longer."""

    def reducer_override(self, value: Any) -> Any:
        if type(value) is torch.Tensor:
            try:
                return torch.from_numpy, (value.numpy(),)
            except (RuntimeError, TypeError):
                pass  # NumPy has none like it: bfloat16, sparse, with a gradient
        return NotImplemented


class _ArraysInMemory:
    """Arrays of bytes one after the other in an anonymous file, to be iterated over once.

    Attributes:
        sizes: Bytes of each.
        length: Of the file.
        file: Its descriptor, for another process.
    """

    def __init__(self, sizes: list[int], length: int, file: Any) -> None:
        self.sizes = sizes
        self.length = length
        self.file = file

    def __iter__(self) -> Iterator[memoryview]:
        descriptor = self.file.detach()
        path = f"/proc/self/fd/{descriptor}"
        whole = torch.from_file(path, shared=True, size=self.length, dtype=torch.uint8)
        os.close(descriptor)
        start, memory = 0, whole.numpy().data
        for size in self.sizes:
            yield memory[start : start + size]
            start += size + _padding(size)


def _padding(size: int) -> int:
    return ALIGNMENT - size % ALIGNMENT


def _arrays_in_memory(arrays: list[np.ndarray]) -> _ArraysInMemory | None:
    """Put arrays into an anonymous file; None where they have to go through the pipe."""
    if not arrays or not hasattr(os, "memfd_create"):
        return None
    try:
        with open(os.memfd_create("batch"), "wb") as file:
            # The lowest free one: as many as it says are in use.
            if file.fileno() + FREE_FILES > resource.getrlimit(resource.RLIMIT_NOFILE)[0]:
                return None
            for array in arrays:
                file.write(array.data)
                file.write(bytes(_padding(array.nbytes)))
            file.flush()
            sizes = [array.nbytes for array in arrays]
            return _ArraysInMemory(sizes, file.tell(), DupFd(file.fileno()))
    except OSError:
        return None  # forbidden on this machine, or no memory: the pipe says so if it has none
