"""Results of a video on disk, so that they need no memory however long it is."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from mmttsrn.structures import EncodedFrames

_TABLE = """
create table seen (
    frame integer, id integer, score real, x1 real, y1 real, x2 real, y2 real, counts text,
    primary key (frame, id)
) without rowid
"""


class SeenInstance(NamedTuple):
    """An instance in a frame.

    Attributes:
        frame: Number of the frame.
        id: Which sequence of the video it is.
        score: Its score in the frame.
        box: x1, y1, x2, y2 in pixels.
        counts: Its mask as compressed RLE; None from a model without masks.
    """

    frame: int
    id: int
    score: float
    box: tuple[float, float, float, float]
    counts: str | None


class ResultStore:
    """The visible instances of a video, by frame or by sequence.

    Args:
        path: A file that exists while the store is open.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.num_frames = 0
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        self._connection = sqlite3.connect(path)
        self._connection.execute("pragma synchronous = off")  # the file is of no use after a crash
        self._connection.execute("pragma journal_mode = off")
        self._connection.execute(_TABLE)
        self._is_indexed = False

    def __enter__(self) -> "ResultStore":
        """Use the store in a ``with`` statement, whose end removes it."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove the file."""
        self._connection.close()
        self.path.unlink(missing_ok=True)

    def add(self, part: EncodedFrames) -> None:
        """Append the next frames."""
        rows = []
        for row, column in part.visible.nonzero().tolist():
            counts = None if part.counts is None else part.counts[row][column]
            box = part.boxes[row, column].tolist()
            score = part.frame_scores[row, column].item()
            rows.append((self.num_frames + column, int(part.ids[row]), score, *box, counts))
        self._connection.executemany("insert into seen values (?, ?, ?, ?, ?, ?, ?, ?)", rows)
        self._connection.commit()
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
        for frame, identity, score, x1, y1, x2, y2, counts in self._connection.execute(
            query, (value,)
        ):
            yield SeenInstance(frame, identity, score, (x1, y1, x2, y2), counts)
