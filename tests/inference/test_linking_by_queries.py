"""Ids over clips that share no frame: queries of single frames, and carried queries."""

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from perfect_model import PlantedVideo, assert_perfect, switches
from slot_model import EMPTY, SIZE, SlotModel, passing_objects, states_of

from mmttsrn.inference import VideoPredictor
from mmttsrn.models import ClipLinker
from mmttsrn.structures import SequenceResults

NUM_FRAMES, NUM_OBJECTS, NUM_SLOTS = 400, 20, 4


def busy_slots(
    window: int, linker: ClipLinker, noise: float = 0.5, seed: int = 0, permuted: bool = False
) -> SlotModel:
    """Twenty objects that share four slots for 400 frames, with looks of their own."""
    video, slots = passing_objects(seed, NUM_FRAMES, NUM_OBJECTS, NUM_SLOTS, hide=0.2)
    generator = torch.Generator().manual_seed(seed)
    looks = F.normalize(torch.randn(NUM_OBJECTS, 64, generator=generator), dim=-1)
    if permuted:
        order = torch.rand(slots.shape, generator=generator).argsort(1).numpy()
        slots = np.take_along_axis(slots, order, 1)
    return SlotModel(video, slots, states_of(slots, looks, noise, generator), window, linker)


def one_slot(states: torch.Tensor, change: int) -> SlotModel:
    """Two objects, both in slot 0: the second one from frame ``change`` on."""
    masks = np.zeros((2, len(states), *SIZE), bool)
    masks[0, :change, 2:8, 2:8] = masks[1, change:, 2:8, 2:8] = True
    video = PlantedVideo(masks, labels=[1, 1], num_classes=3)
    slots = (np.arange(len(states)) >= change).astype(int)[:, None]
    return SlotModel(video, slots, states[:, None], 1, ClipLinker(same_slot=0.2))


def turned(degrees: torch.Tensor) -> torch.Tensor:
    """States (T, 2) at these angles."""
    return torch.stack([degrees.deg2rad().cos(), degrees.deg2rad().sin()], 1)


def run(model: SlotModel) -> SequenceResults:
    return VideoPredictor(model, model.video.sizes).predict(model.video.frames())


@pytest.mark.parametrize("window", [1, 5])
def test_carried_slots_are_given_up_and_ids_go_on(window: int) -> None:
    """Who leaves gives its slot away, and returns in another one; empty slots cost no ids."""
    model = busy_slots(window, ClipLinker(memory=NUM_FRAMES, same_slot=0.2))
    predictor = VideoPredictor(model, model.video.sizes)
    assert_perfect(predictor.predict(model.video.frames()), model.video)
    assert predictor.link.count == NUM_OBJECTS


def test_single_frames_are_linked_whatever_the_order_of_their_queries() -> None:
    model = busy_slots(1, ClipLinker(memory=NUM_FRAMES), noise=0.4, permuted=True)
    assert_perfect(run(model), model.video)


@pytest.mark.parametrize("window", [1, 5])
def test_a_video_that_is_resumed_keeps_its_ids(window: int) -> None:
    model = busy_slots(window, ClipLinker(memory=NUM_FRAMES, same_slot=0.2))
    predictor = VideoPredictor(model, model.video.sizes)
    parts = []
    for number, frame in enumerate(model.video.frames()):
        if number == 203:
            state = copy.deepcopy(predictor.state_dict())
            predictor = VideoPredictor(model, model.video.sizes)
            predictor.load_state_dict(state)
        parts.append(predictor.step(frame))
    parts.append(predictor.finish())
    given = [part for part in parts if part is not None]
    resumed = SequenceResults.join(given, predictor.scores(), SIZE)
    whole = run(model)
    assert torch.equal(resumed.ids, whole.ids)
    assert resumed.counts == whole.counts


def test_what_is_known_of_carried_slots_is_bounded() -> None:
    model = busy_slots(1, ClipLinker(memory=20, same_slot=0.2))
    predictor = VideoPredictor(model, model.video.sizes)
    for frame in model.video.frames():
        predictor.step(frame)
        assert len(predictor.link.looks) <= NUM_SLOTS
        assert len(predictor.link.lost) <= 2 * NUM_SLOTS


def test_a_state_that_turns_slowly_keeps_its_id() -> None:
    model = one_slot(turned(torch.arange(200.0) * 3), change=200)
    assert len(run(model)) == 1


@pytest.mark.parametrize(("degrees", "count"), [(40.0, 1), (55.0, 1), (65.0, 2), (90.0, 2)])
def test_a_state_that_changes_at_once_is_a_new_object(degrees: float, count: int) -> None:
    """In the same slot from one frame to the next; 60 degrees are a cosine of 0.7 - 0.2."""
    model = one_slot(turned(torch.where(torch.arange(20) < 10, 0.0, degrees)), change=10)
    assert len(run(model)) == count


def test_who_was_just_seen_is_preferred_to_who_returns() -> None:
    """The first object comes to look like the second one, which has left."""
    masks = np.zeros((2, 20, *SIZE), bool)
    masks[0, :, 2:8, 2:8] = masks[1, :8, 12:18, 2:8] = True
    video = PlantedVideo(masks, labels=[1, 1], num_classes=3)
    slots = np.array([[0, 1]] * 8 + [[0, EMPTY]] * 12)
    degrees = torch.where(torch.arange(20) < 10, 0.0, 22.0)
    states = torch.stack([turned(degrees), turned(torch.full((20,), 40.0))], 1)
    assert_perfect(run(SlotModel(video, slots, states)), video)


def test_carried_slots_help_where_states_say_little() -> None:
    def count(same_slot: float) -> int:
        linker = ClipLinker(memory=NUM_FRAMES, same_slot=same_slot)
        model = busy_slots(1, linker, noise=0.7)
        return switches(run(model), model.video)

    assert 10 * count(0.2) < count(0.0)
