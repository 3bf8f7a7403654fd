"""What post-processors have in common: a video is scored part by part, as its frames come."""

from abc import ABCMeta, abstractmethod
from collections.abc import Iterable
from typing import Any, ClassVar

from torch import Tensor

from mmttsrn.structures import (
    EncodedFrames,
    FinishedFrames,
    FrameSizes,
    SequenceResults,
    SequenceScores,
)


class VideoScoring(metaclass=ABCMeta):
    """Scores one video; what it holds does not grow with the number of frames.

    Attributes:
        state_names: Attributes that hold what is known of the video, made of tensors, numbers,
            lists and dicts.
    """

    state_names: ClassVar[tuple[str, ...]]

    def state_dict(self) -> dict[str, Any]:
        """Give what is known of the video; tensors are not copied."""
        return {name: getattr(self, name) for name in self.state_names}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a :meth:`state_dict`."""
        for name in self.state_names:
            setattr(self, name, state[name])

    @abstractmethod
    def add(self, part: FinishedFrames) -> EncodedFrames:
        """Take the next frames in; gives them with their masks as RLE."""

    @abstractmethod
    def scores(self, ids: Tensor | None = None) -> SequenceScores:
        """Results as they are now, of all sequences or only among ``ids`` (S,).

        After the last frame, those of all sequences are final.
        """


class PostProcessor(metaclass=ABCMeta):
    """Base of the post-processors, registry modules in ``TASK_UTILS``."""

    @abstractmethod
    def start(self, sizes: FrameSizes) -> VideoScoring:
        """Begin a video whose frames have these sizes."""

    def __call__(self, parts: Iterable[FinishedFrames], sizes: FrameSizes) -> SequenceResults:
        """Finish the predictions of one video.

        Args:
            parts: Its frames in order, as they become final; each part is consumed before the next
                one is asked for, and its masks become RLE.
            sizes: Sizes of its frames.

        Returns:
            Its sequences.
        """
        scoring = self.start(sizes)
        encoded = [scoring.add(part) for part in parts]
        return SequenceResults.join(encoded, scoring.scores(), sizes.original)
