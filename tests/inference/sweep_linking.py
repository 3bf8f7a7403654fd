"""Prints how often ids switch in planted scenes without shared frames.

``PYTHONPATH=. python tests/inference/sweep_linking.py``. Eight objects share four slots for 120
frames, hide for a fifth of them, leave and return; sums over four scenes. Every other object looks
like the one before, by a cosine of ``alike``. ``noise`` is the length of what is added to a state
of length 1.
"""

import numpy as np
import torch
import torch.nn.functional as F
from perfect_model import switches
from slot_model import SlotModel, passing_objects, states_of

from mmttsrn.inference import VideoPredictor
from mmttsrn.models import ClipLinker
from mmttsrn.models.task_modules import clip_linker

NOISES = (0.0, 0.3, 0.5, 0.6, 0.7, 0.8)
LINKERS = {"looks alone": (0.0, 0.0), "as it is": (0.2, 0.0), "same_slot=0.2": (0.2, 0.2)}
FRAMES = 120


def scene(seed: int, noise: float, alike: float, carried: bool, window: int) -> SlotModel:
    """Eight objects in four slots, which are permuted in every frame unless they are carried."""
    video, slots = passing_objects(seed, FRAMES, 8, 4, hide=0.2)
    generator = torch.Generator().manual_seed(seed)
    looks = F.normalize(torch.randn(8, 64, generator=generator), dim=-1)
    looks[1::2] = F.normalize(alike * looks[::2] + (1 - alike**2) ** 0.5 * looks[1::2], dim=-1)
    if not carried:
        order = torch.rand(slots.shape, generator=generator).argsort(1).numpy()
        slots = np.take_along_axis(slots, order, 1)
    return SlotModel(video, slots, states_of(slots, looks, noise, generator), window)


def main() -> None:
    """Print the table."""
    print("| slots | alike | linker |", *(f"noise {noise} |" for noise in NOISES))
    for slots, window in (("permuted", 1), ("carried", 1), ("carried", 5)):
        for alike in (0.0, 0.8):
            for name, (continued, same_slot) in LINKERS.items():
                if slots == "permuted" and same_slot:
                    continue
                clip_linker.CONTINUED = continued
                counts = []
                for noise in NOISES:
                    count = 0
                    for seed in range(4):
                        model = scene(seed, noise, alike, slots == "carried", window)
                        model.clip_linker = ClipLinker(memory=FRAMES, same_slot=same_slot)
                        predictor = VideoPredictor(model, model.video.sizes)
                        count += switches(predictor.predict(model.video.frames()), model.video)
                    counts.append(count)
                row = " | ".join(map(str, counts))
                print(f"| {slots}, window {window} | {alike} | {name} | {row} |", flush=True)


if __name__ == "__main__":
    main()
