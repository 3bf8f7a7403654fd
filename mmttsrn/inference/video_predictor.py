"""The one way to predict a video: frames in, one by one, results out as they become final."""

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from mmttsrn.errors import UserInputError
from mmttsrn.models.task_modules import ClipLinker, PostProcessor
from mmttsrn.structures import (
    EncodedFrames,
    FrameSizes,
    InstanceSequences,
    SequenceResults,
    SequenceScores,
    reflect_frames,
)


class ClipModel(Protocol):
    """What predicts a clip.

    Attributes:
        gives: What it predicts, of ``boxes`` and ``masks``.
        clip_length: Most frames T of a clip.
        clip_overlap: Frames that neighbouring clips share by default.
        fill_clips: A video shorter than a clip goes back and forth until it fills one.
        has_memory: It remembers the video itself, so that its state cannot be kept.
        propagates: A frame goes on from the states of the one before, so that clips are frames.
        clip_linker: What joins the clips.
        post_processor: What scores the sequences.
    """

    gives: frozenset[str]
    clip_length: int
    clip_overlap: int
    fill_clips: bool
    has_memory: bool
    propagates: bool
    clip_linker: ClipLinker
    post_processor: PostProcessor

    def frame_maps(self, frames: Tensor) -> list[Any]:
        """Compute what is the same for a frame of (t, 3, H, W) in all its clips."""

    def predict_clip(
        self,
        maps: Sequence[Any],
        padding_mask: Tensor,
        with_masks: bool = True,
        previous: Tensor | None = None,
    ) -> InstanceSequences:
        """Sequences of a clip of these frames.

        Args:
            maps: Those of its frames, see :meth:`frame_maps`.
            padding_mask: (H, W) bool, true for padding.
            with_masks: Whether masks are computed.
            previous: States (S, C) of the frame before, if the model ``propagates`` them.
        """


# What a predictor knows of a video besides the states of linking and scoring.
STATE = ("next_end", "num_frames", "maps", "waiting", "previous")


class VideoPredictor:
    """Predicts a video frame by frame, in clips that overlap; what it keeps has a bounded size.

    A clip ends every ``window - overlap`` frames. With ``latency`` frames of delay, a frame becomes
    final with the first clip that ends at least as many frames after it as the delay leaves:
    ``window - 1``, the default, waits for all clips that the frame is in and averages them; 0
    gives each frame at once, for which a clip ends at every frame.

    Args:
        model: What predicts clips.
        sizes: Sizes of the frames, all alike.
        window: Frames of a clip; by default all that the model takes.
        overlap: Frames that neighbouring clips share; by default as the model says. A latency that
            is shorter than the step between clips makes the overlap larger.
        latency: Frames after a frame that may be read before its results come.
        with_masks: Whether masks are computed; without, the model has to give boxes.

    Raises:
        UserInputError: A number is out of range.
    """

    def __init__(
        self,
        model: ClipModel,
        sizes: FrameSizes,
        window: int | None = None,
        overlap: int | None = None,
        latency: int | None = None,
        with_masks: bool = True,
    ) -> None:
        self.model = model
        self.with_masks = with_masks
        self.sizes = sizes
        self.window = model.clip_length if window is None else window
        if overlap is None:
            overlap = min(model.clip_overlap, self.window - 1)
        self.latency = self.window - 1 if latency is None else latency
        for name, value, least, most in (
            ("window", self.window, 1, model.clip_length),
            ("overlap", overlap, 0, self.window - 1),
            ("latency", self.latency, 0, self.window - 1),
        ):
            if not least <= value <= most:
                raise UserInputError(f"{name}: expected {least} to {most} frames, got {value}")
        self.step_length = min(self.window - overlap, self.latency + 1)
        # Frames at the end of a clip that are not final yet.
        self.held_back = self.latency + 1 - self.step_length
        height, width = sizes.unpadded
        self._padding_mask = torch.ones(sizes.padded, dtype=torch.bool)
        self._padding_mask[:height, :width] = False
        self.reset()

    def reset(self) -> None:
        """Begin another video with frames of the same sizes."""
        self.link = self.model.clip_linker.start()
        self.scoring = self.model.post_processor.start(self.sizes)
        self.next_end = self.latency  # last frame of the next clip
        self.num_frames = 0
        self.maps: list[Any] = []  # ``frame_maps`` of the last frames, up to a clip of them
        self.previous: Tensor | None = None  # states (S, C) of the last clip, if they propagate
        self.waiting: list[Tensor] = []  # frames (3, H, W) after these, which no clip has had yet

    def state_dict(self) -> dict[str, Any]:
        """All that is known of the video: tensors, not copied, numbers, lists and dicts."""
        own = {name: getattr(self, name) for name in STATE}
        return own | dict(link=self.link.state_dict(), scoring=self.scoring.state_dict())

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a :meth:`state_dict`."""
        self.link.load_state_dict(state["link"])
        self.scoring.load_state_dict(state["scoring"])
        for name in STATE:
            setattr(self, name, state[name])

    def step(self, frame: Tensor) -> EncodedFrames | None:
        """Take in the next frame.

        Args:
            frame: (3, H, W) as the model sees it: normalised and padded.

        Returns:
            The next frames that became final; None if there are none.
        """
        self.waiting.append(frame)
        self.num_frames += 1
        if self.num_frames - 1 < self.next_end:
            return None
        self.next_end += self.step_length
        self._predict_clip()
        return self._release(self.num_frames - self.held_back)

    def finish(self) -> EncodedFrames | None:
        """Give the last frames; None if all are given."""
        if self.waiting:
            self._predict_clip()
        return self._release(self.num_frames)

    def scores(self, ids: Tensor | None = None) -> SequenceScores:
        """Sequences that are results so far, of all or among ``ids``; final after ``finish``."""
        return self.scoring.scores(ids)

    def predict(self, frames: Iterable[Tensor]) -> SequenceResults:
        """Predict a whole video of frames as :meth:`step` takes them."""
        self.reset()
        parts = [*map(self.step, frames), self.finish()]
        present = [part for part in parts if part is not None]
        return SequenceResults.join(present, self.scores(), self.sizes.original)

    @torch.no_grad()
    def _predict_clip(self) -> None:
        """Predict the clip that ends with the last frame."""
        model = self.model
        self.maps += model.frame_maps(torch.stack(self.waiting))
        padding_mask = self._padding_mask.to(self.waiting[0].device)
        self.waiting = []
        del self.maps[: -self.window]
        length = len(self.maps)
        filled = max(length, self.window) if model.fill_clips else length
        order = reflect_frames(np.arange(filled), length)
        sequences = model.predict_clip(
            [self.maps[i] for i in order], padding_mask, self.with_masks, self.previous
        )
        if model.propagates:
            assert sequences.states is not None
            self.previous = sequences.states[:, -1]
        self.link.add(self.num_frames - length, sequences.frames(0, length))

    def _release(self, stop: int) -> EncodedFrames | None:
        if stop <= self.link.released:
            return None
        return self.scoring.add(self.link.release(stop))


def predict_video(
    model: ClipModel,
    frames: Iterable[Tensor],
    unpadded: tuple[int, int],
    original: tuple[int, int],
) -> SequenceResults:
    """Predict a whole video whose frames a host's data loader gives.

    Args:
        model: What predicts its clips.
        frames: T frames (3, H, W) as the model sees them.
        unpadded: Height and width of these without padding.
        original: Height and width of the frames of the video.
    """
    frames = iter(frames)
    first = next(frames)
    sizes = FrameSizes((first.shape[-2], first.shape[-1]), unpadded, original)
    return VideoPredictor(model, sizes).predict(chain([first], frames))
