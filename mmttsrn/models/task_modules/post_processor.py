"""What post-processors have in common: a video is scored part by part, as its frames come."""

from abc import ABCMeta, abstractmethod
from collections.abc import Iterable
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from mmttsrn.errors import UserInputError
from mmttsrn.models.task_modules.mask_encoding import MaskEncoder
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
            lists and dicts. Tensors have a row for each id so far.
    """

    state_names: ClassVar[tuple[str, ...]]

    def __init__(self, settings: Any, sizes: FrameSizes) -> None:
        self.settings = settings
        self.sizes = sizes
        self.encoder = MaskEncoder(sizes, settings.logit_thr, settings.max_pixels)

    def state_dict(self) -> dict[str, Any]:
        """Give what is known of the video; tensors are not copied."""
        return {name: getattr(self, name) for name in self.state_names}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a :meth:`state_dict`."""
        for name in self.state_names:
            setattr(self, name, state[name])

    def _grow(self, ids: Tensor, num_classes: int) -> None:
        """Make room for new ids, and for the classes when the first frames come."""
        for name in self.state_names:
            rows = getattr(self, name)
            if isinstance(rows, Tensor):
                more = max([0, *(ids + 1 - len(rows)).tolist()])
                classes = (0, num_classes - rows.shape[1]) if rows.dim() == 2 else ()
                setattr(self, name, F.pad(rows, (*classes, 0, more)))

    @abstractmethod
    def add(self, part: FinishedFrames) -> EncodedFrames:
        """Take the next frames in; gives them with their masks as RLE."""

    @abstractmethod
    def scores(self, ids: Tensor | None = None) -> SequenceScores:
        """Results as they are now, of all sequences or only among ``ids`` (S,).

        After the last frame, those of all sequences are final.
        """


class PostProcessor:
    """Base of the post-processors, registry modules in ``TASK_UTILS``.

    Args:
        mask_thr: A pixel belongs to the mask when its probability is above this.
        null_frame_score: A frame is hidden when its score is below this.
        max_pixels: Most mask pixels resized at a time; bounds the memory.

    Raises:
        UserInputError: ``mask_thr`` is not a probability.
    """

    scoring: ClassVar[type[VideoScoring]]
    needs_masks: ClassVar[bool] = False

    def __init__(self, mask_thr: float, null_frame_score: float, max_pixels: int) -> None:
        if not 0 < mask_thr < 1:
            raise UserInputError(f"mask_thr={mask_thr} must be between 0 and 1")
        self.logit_thr = torch.logit(torch.tensor(mask_thr)).item()
        self.null_frame_score = null_frame_score
        self.max_pixels = max_pixels

    def start(self, sizes: FrameSizes) -> VideoScoring:
        """Begin a video whose frames have these sizes."""
        return self.scoring(self, sizes)

    def __call__(self, parts: Iterable[FinishedFrames], sizes: FrameSizes) -> SequenceResults:
        """Finish the predictions of one video.

        Args:
            parts: Its frames in order, as they become final; each part is consumed before the next
                one is asked for, and its masks become RLE.
            sizes: Sizes of its frames.
        """
        scoring = self.start(sizes)
        encoded = [scoring.add(part) for part in parts]
        return SequenceResults.join(encoded, scoring.scores(), sizes.original)
