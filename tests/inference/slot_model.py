"""A clip model whose query slots hold objects as a plan says, with states that the plan gives."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from perfect_model import LOGIT, PlantedVideo
from torch import Tensor

from mmttsrn.models import ClipLinker, InstanceQueryPostProcessor
from mmttsrn.models.task_modules import PostProcessor
from mmttsrn.structures import InstanceSequences

SIZE = (24, 40)
EMPTY = -1


@dataclass
class SlotModel:
    """Predicts the true masks; frame t has object ``slots[t, s]`` in slot s.

    Args:
        video: What there is to see.
        slots: (T, Q) int, rows of the video, or ``EMPTY``: no object, no mask and any state.
        states: (T, Q, C), those of the slots.
        clip_length: Frames of a clip; clips share none.
        clip_linker: What is tested.
    """

    video: PlantedVideo
    slots: np.ndarray
    states: Tensor
    clip_length: int = 1
    clip_linker: ClipLinker = field(default_factory=ClipLinker)
    clip_overlap: int = 0
    fill_clips: bool = False
    has_memory: bool = False
    propagates: bool = False
    gives: frozenset[str] = frozenset({"masks"})
    post_processor: PostProcessor = field(default_factory=InstanceQueryPostProcessor)

    def frame_maps(self, frames: Tensor) -> list[int]:
        return [int(frame[0, 0, 0]) for frame in frames]

    def predict_clip(
        self,
        maps: Sequence[int],
        padding_mask: Tensor,
        with_masks: bool = True,
        previous: Tensor | None = None,
    ) -> InstanceSequences:
        frames = np.array(maps)
        rows = self.slots[frames]  # T, Q
        labels = np.where(rows == EMPTY, self.video.num_classes, np.array(self.video.labels)[rows])
        logits = LOGIT * torch.eye(self.video.num_classes + 1)[torch.from_numpy(labels)]
        masks = self.video.masks[rows, frames[:, None]] & (rows != EMPTY)[..., None, None]
        mask_logits = torch.where(torch.from_numpy(masks), LOGIT, -LOGIT).transpose(0, 1)
        return InstanceSequences.from_clip(logits, None, mask_logits, self.states[frames])


def passing_objects(
    seed: int, num_frames: int, num_objects: int, num_slots: int, hide: float = 0.0
) -> tuple[PlantedVideo, np.ndarray]:
    """Objects that cross the picture, leave and return, at most ``num_slots`` at a time.

    They come and go at multiples of 5 frames, and come back in any slot that is free. Who is only
    hidden, in a share ``hide`` of its frames, keeps its slot, and its class there.

    Returns:
        The video, and the slots (T, Q).
    """
    random = np.random.default_rng(seed)
    slots = np.full((num_frames, num_slots), EMPTY)
    masks = np.zeros((num_objects, num_frames, *SIZE), bool)
    away = list(random.permutation(num_objects))  # who is away for longest comes first
    ends = np.zeros(num_slots, int)
    for start in range(0, num_frames, 5):
        for slot in random.permutation(num_slots):
            if start < ends[slot]:
                continue
            if slots[start - 1, slot] != EMPTY:
                away.append(slots[start - 1, slot])
                if random.random() < 0.5:
                    continue  # it is empty for a while
            row = away.pop(0)
            ends[slot] = stop = min(start + 5 * int(random.integers(2, 9)), num_frames)
            slots[start:stop, slot] = row
            x, speed = random.integers(30), random.uniform(-2, 2)
            for frame in range(start, stop):
                left = int(x + speed * (frame - start)) % 34
                if frame in (start, stop - 1) or random.random() >= hide:
                    masks[row, frame, 5 * slot + 1 : 5 * slot + 5, left : left + 6] = True
    labels = [row % 3 for row in range(num_objects)]
    return PlantedVideo(masks, labels, num_classes=3), slots


def states_of(slots: np.ndarray, looks: Tensor, noise: float, generator: torch.Generator) -> Tensor:
    """States (T, Q, C): unit looks (n, C), or (T, n, C), and noise of this length."""
    frames = torch.arange(len(slots))[:, None]
    rows = torch.from_numpy(slots)
    states = looks[rows] if looks.dim() == 2 else looks[frames, rows]
    length = states.shape[-1] ** 0.5
    states = states + noise / length * torch.randn(states.shape, generator=generator)
    empty = torch.randn(states.shape, generator=generator) / length
    return torch.where((rows == EMPTY)[..., None], empty, states)
