"""What post-processors have in common: a video is scored part by part, as its frames come."""

from abc import ABCMeta, abstractmethod
from collections.abc import Iterable

from torch import Tensor

from mmttsrn.structures import (
    EncodedFrames,
    FinishedFrames,
    FrameSizes,
    SequenceResults,
    SequenceScores,
)


class VideoScoring(metaclass=ABCMeta):
    """Scores one video; what it holds does not grow with the number of frames."""

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
