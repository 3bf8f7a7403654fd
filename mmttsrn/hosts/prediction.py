"""Prediction of a video whose frames a host's data loader gives, the same way under every host."""

from collections.abc import Iterable
from itertools import chain

from torch import Tensor

from mmttsrn.inference import ClipModel, VideoPredictor
from mmttsrn.structures import FrameSizes, SequenceResults


def predict_video(
    model: ClipModel,
    frames: Iterable[Tensor],
    unpadded: tuple[int, int],
    original: tuple[int, int],
) -> SequenceResults:
    """Predict a whole video.

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
