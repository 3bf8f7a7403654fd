"""Results of a video on disk, so that they need no memory and survive the end of the program."""

import errno
import os
import pickle
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch

from mmttsrn.errors import UserInputError, input_errors
from mmttsrn.formats.output_files import partial_file
from mmttsrn.structures import EncodedFrames

_TABLE = """
create table seen (
    frame integer, id integer, score real, x1 real, y1 real, x2 real, y2 real, counts text,
    primary key (frame, id)
) without rowid
"""


class SeenInstance(NamedTuple):
    """An instance in a frame."""

    frame: int
    id: int  # which sequence of the video it is
    score: float  # in the frame
    box: tuple[float, float, float, float]  # x1, y1, x2, y2 in pixels
    counts: str | None  # the mask as compressed RLE; None from a model without masks


class ResultStore:
    """The visible instances of a video, by frame or by sequence.

    Args:
        path: A file that exists while the store is open. It stays, with another one next to it that
            holds the state, when the program ends before its time and :meth:`save` was called.
        job: What is computed, so that a store goes on with results of the same job only.
        resume: Go on with what is there. Without, or when that is from another job, it is dropped.

    Attributes:
        num_frames: Frames in it.
        state: What was saved with them; None without.
    """

    def __init__(self, path: Path, job: str = "", resume: bool = False) -> None:
        self.path, self.job = path, job
        self.num_frames = 0
        self.state: dict[str, Any] | None = None
        self._state_path = path.with_name(f"{path.name}.state")
        path.parent.mkdir(parents=True, exist_ok=True)
        saved = self._read_state() if resume and path.exists() else None
        if saved is None:
            self._remove()
        with input_errors(f"{path.parent}: cannot be written to"):
            self._connection = sqlite3.connect(path)
        # Survives the end of the process; not that of the machine, for which it would be slow.
        self._connection.execute("pragma synchronous = off")
        self._connection.execute("pragma journal_mode = wal")
        if saved is None:
            self._connection.execute(_TABLE)
        else:
            self.num_frames, self.state = saved["num_frames"], saved["state"]
            self._connection.execute("delete from seen where frame >= ?", (self.num_frames,))
            self._connection.commit()
        self._is_indexed = False

    def _read_state(self) -> dict[str, Any] | None:
        """Read what was saved for this job; None if nothing was, or it cannot be read any more."""
        try:
            saved: dict[str, Any] = torch.load(self._state_path, weights_only=True)
        except (OSError, RuntimeError, EOFError, pickle.UnpicklingError):
            return None
        return saved if saved["job"] == self.job else None

    def _remove(self) -> None:
        for end in ("", "-wal", "-shm", ".state"):
            self.path.with_name(self.path.name + end).unlink(missing_ok=True)

    def __enter__(self) -> "ResultStore":
        """Use the store in a ``with`` statement, whose end removes it."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Remove the files, unless something can go on with them."""
        self._connection.close()
        is_over = kind is None or issubclass(kind, UserInputError)
        if is_over or not self._state_path.exists():
            self._remove()

    def save(self, state: dict[str, Any]) -> None:
        """Keep a state that belongs to the frames so far, of tensors, numbers, lists and dicts."""
        saved = dict(job=self.job, num_frames=self.num_frames, state=state)
        # By a file object, whose errors say what is wrong, such as a full disk.
        with partial_file(self._state_path) as partial, partial.open("wb") as file:
            torch.save(saved, file)

    def add(self, part: EncodedFrames) -> None:
        """Append the next frames."""
        rows = []
        for row, column in part.visible.nonzero().tolist():
            counts = None if part.counts is None else part.counts[row][column]
            box = part.boxes[row, column].tolist()
            score = part.frame_scores[row, column].item()
            rows.append((self.num_frames + column, int(part.ids[row]), score, *box, counts))
        try:
            self._connection.executemany("insert into seen values (?, ?, ?, ?, ?, ?, ?, ?)", rows)
            self._connection.commit()
        except sqlite3.OperationalError as error:
            if "full" not in str(error):
                raise
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path)) from error
        self.num_frames += part.num_frames

    def frame(self, number: int) -> list[SeenInstance]:
        """Instances of a frame, by rising id."""
        return list(self._select("frame = ? order by id", number))

    def sequence(self, identity: int) -> Iterator[SeenInstance]:
        """Frames in which a sequence is seen, in order."""
        if not self._is_indexed:
            self._connection.execute("create index by_id on seen (id, frame)")
            self._is_indexed = True
        return self._select("id = ? order by frame", identity)

    def _select(self, condition: str, value: int) -> Iterator[SeenInstance]:
        query = f"select * from seen where {condition}"
        for frame, identity, score, *box, counts in self._connection.execute(query, (value,)):
            yield SeenInstance(frame, identity, score, tuple(box), counts)
