"""Batches as the data loader gives them, and ways to run them through a model."""

import copy

import torch
from mmdet.structures import TrackDataSample
from torch import Tensor
from vis_samples import Rectangle, clip_sample, random_frames

from mmttsrn.hosts.mmdet import TTSRN

TWO = [Rectangle.moving(5, 2, (8, 8, 40, 32)), Rectangle.moving(9, 0, (50, 30, 70, 60))]
LEAVING = [
    Rectangle(1, 1, [(8, 8, 40, 32), None, (20, 8, 50, 32)]),
    Rectangle(2, 0, [None, None, (50, 30, 70, 60)]),
]
CROWD = [Rectangle.moving(i, i % 3, (10 * i, 10 * i, 10 * i + 15, 10 * i + 5)) for i in range(5)]
SMALL = [Rectangle.moving(3, 1, (4, 4, 30, 30))]


def batch_of(
    *clips: tuple[list[Rectangle], tuple[int, int]], num_frames: int = 3, **kwargs
) -> dict:
    """What the data loader gives: clips of (instances, frame size)."""
    return dict(
        inputs=[random_frames(num_frames, size, seed=i) for i, (_, size) in enumerate(clips)],
        data_samples=[clip_sample(rs, num_frames, size, **kwargs) for rs, size in clips],
    )


BATCHES = {
    "two instances": batch_of((TWO, (64, 96))),
    "no instance": batch_of(([], (64, 96))),
    "absent in some frames": batch_of((LEAVING, (64, 96))),
    "more than Q": batch_of((CROWD, (64, 96))),
    "two frame sizes": batch_of((TWO, (64, 96)), (SMALL, (30, 60))),
    "one clip without instance": batch_of((TWO, (64, 96)), ([], (64, 96))),
    "one frame": batch_of((TWO, (64, 96)), num_frames=1),
}


def prepared(model: TTSRN, batch: dict, training: bool = True) -> dict:
    """A copy of the batch after the model's data preprocessor."""
    return model.data_preprocessor(copy.deepcopy(batch), training)


def losses_of(model: TTSRN, batch: dict) -> dict[str, Tensor]:
    return model(**prepared(model, batch), mode="loss")


def predict(model: TTSRN, batch: dict) -> list[TrackDataSample]:
    with torch.no_grad():
        return model(**prepared(model, batch, training=False), mode="predict")
