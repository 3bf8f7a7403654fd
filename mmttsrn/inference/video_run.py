"""A video on its way through a model: frames in, results and frames out."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmttsrn.errors import UserInputError
from mmttsrn.inference.video_predictor import ClipModel, VideoPredictor
from mmttsrn.structures import (
    EncodedFrames,
    FrameResults,
    FrameSizes,
    SequenceResults,
    SequenceScores,
)

# From RGB (h, w, 3), uint8, to the frame (3, H, W) as the model sees it, and its sizes.
Prepare = Callable[[np.ndarray], tuple[Tensor, FrameSizes]]


class VideoRun:
    """One prediction of one video, which owns all that it knows of the video.

    Iterate over it, once::

        for part, images in run:  # results of the next t frames, and these frames
            for frame in run.frame_results(part, images):
                ...

    A part comes as soon as nothing changes it any more. :meth:`scores` says which of its sequences
    are results, finally after the last part.

    Args:
        model: What predicts clips.
        frames: Frames of the video, RGB (H, W, 3), uint8, all of one size.
        prepare: Makes a frame what the model sees.
        name: What the video is called in messages.
        classes: Names of the classes by label.
        state: :meth:`state_dict` after some part of an earlier run of the same video. Its frames
            are then read again, but not predicted, and the parts go on where that run ended.
        autocast: Gives the context in which the model runs.
        **settings: ``window``, ``overlap``, ``latency`` and ``with_masks`` of
            :class:`~mmttsrn.inference.VideoPredictor`.

    Attributes:
        num_frames: Frames of all parts so far, those of an earlier run included.
    """

    def __init__(
        self,
        model: ClipModel,
        frames: Iterable[np.ndarray],
        prepare: Prepare,
        *,
        name: str = "video",
        classes: Sequence[str] = (),
        state: dict[str, Any] | None = None,
        autocast: Callable[[], AbstractContextManager] = nullcontext,
        **settings: Any,
    ) -> None:
        self.model = model
        self.frames = frames
        self.prepare = prepare
        self.name = name
        self.classes = classes
        self.settings = settings
        self.autocast = autocast
        self.num_frames = 0
        self._state = state
        self._predictor: VideoPredictor | None = None

    def __iter__(self) -> Iterator[tuple[EncodedFrames, list[np.ndarray]]]:
        """Predict the video; without a frame that is a ``UserInputError``."""
        waiting: deque[np.ndarray] = deque()  # frames without final results

        def given(part: EncodedFrames | None) -> Iterator[tuple[EncodedFrames, list[np.ndarray]]]:
            if part is not None:
                self.num_frames += part.num_frames
                yield part, [waiting.popleft() for _ in range(part.num_frames)]

        known = 0  # frames that an earlier run has taken in
        for index, image in enumerate(self.frames):
            if self._predictor is None or index >= known:
                frame, sizes = self.prepare(image)
            if self._predictor is None:
                self._predictor = VideoPredictor(self.model, sizes, **self.settings)
                if self._state is not None:
                    self._predictor.load_state_dict(self._state)
                known = self._predictor.num_frames
                self.num_frames = self._predictor.link.released
            if index >= self.num_frames:
                waiting.append(image)
            if index >= known:
                with self.autocast():
                    part = self._predictor.step(frame)
                yield from given(part)
        if self._predictor is None:
            raise UserInputError(f"{self.name}: expected a video, got no frame")
        with self.autocast():
            part = self._predictor.finish()
        yield from given(part)

    @property
    def predictor(self) -> VideoPredictor:
        """What predicts the video, once its first frame was read."""
        assert self._predictor is not None
        return self._predictor

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the frames in pixels."""
        return self.predictor.sizes.original

    def scores(self, ids: Tensor | None = None) -> SequenceScores:
        """Sequences that are results so far, of all or among ``ids`` (S,)."""
        return self.predictor.scores(ids)

    def state_dict(self) -> dict[str, Any]:
        """All that a later run needs to go on after the parts so far."""
        return self.predictor.state_dict()

    def frame_results(
        self, part: EncodedFrames, images: Sequence[np.ndarray], score_thr: float = 0.0
    ) -> Iterator[FrameResults]:
        """Results of each frame of the part that has just been given, as they are known now.

        Sequences whose score is below ``score_thr`` are left out.
        """
        now = self.scores(part.ids)
        rows = {identity: row for row, identity in enumerate(part.ids.tolist())}
        order = torch.tensor([rows[identity] for identity in now.ids.tolist()]).long()
        for index, image in enumerate(images):
            shown = part.visible[order, index] & (now.scores >= score_thr)
            kept = order[shown]
            counts = None
            if part.counts is not None:
                counts = [part.counts[row][index] or "" for row in kept.tolist()]
            yield FrameResults(
                index=self.num_frames - part.num_frames + index,
                instance_ids=now.ids[shown],
                scores=now.scores[shown],
                labels=now.labels[shown],
                boxes=part.boxes[kept, index],
                size=self.size,
                counts=counts,
                classes=self.classes,
                image=image,
            )

    def sequences(self) -> SequenceResults:
        """Predict the whole video and join its parts."""
        parts = [part for part, _ in self]
        return SequenceResults.join(parts, self.scores(), self.size)
