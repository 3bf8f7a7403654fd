import itertools
from collections.abc import Iterable, Iterator
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from mmttsrn.models import ClipLinker
from mmttsrn.structures import FinishedFrames, InstanceSequences

T, H, W, K = 9, 12, 20, 3


def planted_video(num_objects: int = 3) -> InstanceSequences:
    """Squares that move right in rows of their own, then an empty no-object sequence."""
    masks = torch.full((num_objects + 1, T, H, W), -5.0)
    boxes = torch.zeros(num_objects + 1, T, 4)
    logits = torch.zeros(num_objects + 1, T, K + 1)
    for i, t in itertools.product(range(num_objects), range(T)):
        top, left = 4 * i, t
        masks[i, t, top : top + 3, left : left + 4] = 5.0
        boxes[i, t] = torch.tensor([(left + 2) / W, (top + 1.5) / H, 4 / W, 3 / H])
        logits[i, t, i % K] = 6.0
    logits[-1, :, K] = 6.0
    return InstanceSequences(logits, boxes, masks, torch.ones(num_objects + 1, T).bool())


def plan_clips(num_frames: int, clip_length: int, overlap: int) -> list[int]:
    """First frames of clips that cover a video, of which the last one ends with it."""
    last = max(num_frames - clip_length, 0)
    return [*range(0, last, clip_length - overlap), last]


def link(
    linker: ClipLinker, clips: Iterable[tuple[int, InstanceSequences]]
) -> Iterator[FinishedFrames]:
    """Link clips, given with their first frames; frames are released before the next clip."""
    video, end = linker.start(), 0
    for start, clip in clips:
        if video.count:
            yield video.release(start)
        video.add(start, clip)
        end = start + clip.covered.shape[1]
    yield video.release(end)


def joined(parts: Iterable[FinishedFrames]) -> InstanceSequences:
    """All frames of a video in one, from the parts that the linker finishes."""
    parts = list(parts)
    count = max(int(part.ids.max()) for part in parts if len(part.ids))
    num_frames = sum(part.sequences.covered.shape[1] for part in parts)
    video, start = parts[0].sequences.select([]).extended(count, num_frames), 0
    for part in parts:
        stop = start + part.sequences.covered.shape[1]
        for name in ("logits", "boxes", "mask_logits", "covered"):
            if getattr(video, name) is not None:
                getattr(video, name)[part.ids - 1, start:stop] = getattr(part.sequences, name)
        start = stop
    return video


def clip_of(video: InstanceSequences, start: int, length: int, slots: list[int]):
    """What a model predicts for a clip whose slot ``s`` holds the video's sequence ``slots[s]``."""
    frames = video.frames(start, start + length)
    masks = None if frames.mask_logits is None else frames.mask_logits[slots]
    return start, InstanceSequences(
        frames.logits[slots], frames.boxes[slots], masks, frames.covered[slots]
    )


def without_masks(video: InstanceSequences) -> InstanceSequences:
    return InstanceSequences(video.logits, video.boxes, None, video.covered)


@pytest.mark.parametrize("with_masks", [True, False])
def test_slots_that_change_between_clips_are_joined(with_masks: bool) -> None:
    video = planted_video() if with_masks else without_masks(planted_video())
    orders = ([0, 1, 2, 3], [2, 0, 3, 1], [3, 2, 1, 0], [1, 3, 0, 2])
    starts = plan_clips(T, 4, 2)
    clips = (clip_of(video, s, 4, order) for s, order in zip(starts, orders, strict=True))
    linked = joined(link(ClipLinker(), clips))
    objects = linked.logits[..., :K].amax(-1).amax(-1) > 1
    assert objects.nonzero().squeeze(1).tolist() == [0, 1, 2]
    assert linked.covered[:3].all()
    torch.testing.assert_close(linked.logits[:3], video.logits[:3])
    torch.testing.assert_close(linked.boxes[:3], video.boxes[:3])
    if with_masks:
        torch.testing.assert_close(linked.mask_logits[:3], video.mask_logits[:3])
    else:
        assert linked.mask_logits is None


def test_a_video_of_one_clip_is_returned_as_it_is() -> None:
    _, clip = clip_of(planted_video(), 0, 3, [3, 1, 0, 2])
    (part,) = link(ClipLinker(), [(0, clip)])
    assert part.ids.tolist() == [1, 2, 3, 4]
    for name in ("logits", "boxes", "mask_logits", "covered"):
        assert torch.equal(getattr(part.sequences, name), getattr(clip, name))


def test_predictions_of_shared_frames_are_averaged() -> None:
    video = planted_video(1)
    other = InstanceSequences(video.logits + 1, video.boxes, video.mask_logits - 2, video.covered)
    clips = [clip_of(video, 0, 5, [0]), clip_of(other, 4, 5, [0])]
    linked = joined(link(ClipLinker(), clips))
    shift = torch.tensor([0.0] * 4 + [0.5] + [1.0] * 4)
    torch.testing.assert_close(linked.logits[0], video.logits[0] + shift[:, None])
    torch.testing.assert_close(
        linked.mask_logits[0], video.mask_logits[0] - 2 * shift[:, None, None]
    )


def test_an_object_that_enters_later_starts_a_sequence() -> None:
    video = planted_video()
    clips = [clip_of(video, 0, 5, [0, 3]), clip_of(video, 4, 5, [2, 0])]
    linked = joined(link(ClipLinker(), clips))
    assert len(linked.covered) == 3
    assert linked.covered.tolist() == [
        [True] * T,
        [True] * 5 + [False] * 4,
        [False] * 4 + [True] * 5,
    ]
    torch.testing.assert_close(linked.mask_logits[0], video.mask_logits[0])
    torch.testing.assert_close(linked.mask_logits[2, 4:], video.mask_logits[2, 4:])


def test_sequences_with_a_low_score_are_not_collected() -> None:
    video = planted_video()
    clips = [clip_of(video, 0, 5, [0, 3]), clip_of(video, 4, 5, [3, 0])]
    assert len(joined(link(ClipLinker(min_score=0.05), clips)).covered) == 2
    assert len(joined(link(ClipLinker(min_score=0.0), clips)).covered) == 3


def test_a_hidden_object_keeps_its_slot() -> None:
    video = planted_video()
    hidden = video.mask_logits.clone()
    hidden[1, 3:6] = -5.0
    video = InstanceSequences(video.logits, video.boxes, hidden, video.covered)
    starts = plan_clips(T, 4, 2)
    linked = joined(link(ClipLinker(), [clip_of(video, s, 4, [0, 1, 2, 3]) for s in starts]))
    assert len(linked.covered) == 4
    torch.testing.assert_close(linked.mask_logits[1], hidden[1])


def test_a_hidden_object_keeps_the_slot_in_which_it_was_seen_last() -> None:
    video = planted_video()
    hidden = video.mask_logits.clone()
    hidden[1, 4:7] = -5.0
    video = InstanceSequences(video.logits, video.boxes, hidden, video.covered)
    # Clips from frames 0, 2, 4 and 5; the object moves to slot 2 before it hides.
    orders = ([0, 1, 2, 3], [0, 2, 1, 3], [0, 2, 1, 3], [0, 2, 1, 3])
    starts = plan_clips(T, 4, 2)
    clips = (clip_of(video, s, 4, order) for s, order in zip(starts, orders, strict=True))
    linked = joined(link(ClipLinker(), clips))
    assert len(linked.covered) == 4
    assert linked.covered[:3].all()
    torch.testing.assert_close(linked.mask_logits[1], hidden[1])


@pytest.mark.parametrize("with_masks", [True, False])
def test_min_iou_decides_what_joins(with_masks: bool) -> None:
    video = planted_video(1)
    shifted = InstanceSequences(
        video.logits,
        video.boxes + torch.tensor([2 / W, 0.0, 0.0, 0.0]),
        video.mask_logits.roll(2, dims=-1),
        video.covered,
    )
    if not with_masks:
        video, shifted = without_masks(video), without_masks(shifted)
    clips = [clip_of(video, 0, 5, [0]), clip_of(shifted, 4, 5, [0])]
    # Rectangles of 3x4 that are shifted by 2 have an IoU of 1/3.
    assert len(joined(link(ClipLinker(min_iou=0.3), clips)).covered) == 1
    assert len(joined(link(ClipLinker(min_iou=0.36), clips)).covered) == 2


def test_class_decides_between_equal_masks() -> None:
    video = planted_video(2)
    same = video.mask_logits.clone()
    same[1] = same[0]
    video = InstanceSequences(video.logits, video.boxes, same, video.covered)
    clips = [clip_of(video, 0, 5, [0, 1]), clip_of(video, 4, 5, [1, 0])]
    linked = joined(link(ClipLinker(), clips))
    torch.testing.assert_close(linked.logits, video.logits[:2])


def test_clips_without_shared_frames_are_not_joined() -> None:
    video = planted_video(1)
    clips = [clip_of(video, 0, 5, [0]), clip_of(video, 5, 4, [0])]
    linked = joined(link(ClipLinker(memory=0), clips))
    assert linked.covered.tolist() == [[True] * 5 + [False] * 4, [False] * 5 + [True] * 4]


def test_linking_is_streamed() -> None:
    """No clip is asked for before the one before it is linked, so memory stays bounded."""
    video, starts = planted_video(), plan_clips(T, 4, 2)
    alive: list[Tensor] = []

    def clips():
        for start in starts:
            for tensor in alive:
                tensor.fill_(float("nan"))  # A linker that kept the clip would read this.
            clip = clip_of(video, start, 4, [0, 1, 2, 3])
            alive[:] = [clip[1].mask_logits, clip[1].logits]
            yield clip

    linked = joined(link(ClipLinker(), clips()))
    torch.testing.assert_close(linked.mask_logits[:3], video.mask_logits[:3])


def test_frames_are_finished_as_soon_as_no_clip_changes_them() -> None:
    video, asked = planted_video(), []

    def clips():
        for start in plan_clips(T, 4, 2):
            asked.append(start)
            yield clip_of(video, start, 4, [0, 1, 2, 3])

    finished = [
        (list(asked), part.sequences.covered.shape[1]) for part in link(ClipLinker(), clips())
    ]
    assert finished == [([0, 2], 2), ([0, 2, 4], 2), ([0, 2, 4, 5], 1), ([0, 2, 4, 5], 4)]


def test_sequences_that_have_ended_are_held_no_longer() -> None:
    """Every clip brings sequences of its own; the window holds those of the last two."""
    video = planted_video(1)
    clips = [clip_of(video, start, 3, [0]) for start in range(0, T - 2, 2)]
    parts = list(link(ClipLinker(min_iou=1.1, memory=0), clips))
    assert [part.ids.tolist() for part in parts] == [[1], [1, 2], [2, 3], [3, 4]]


def expected_quality(video: InstanceSequences, quality: float) -> InstanceSequences:
    """The same with one predicted quality; all are objects for certain, as without classes."""
    logits = torch.zeros_like(video.logits[..., :2])
    logits[..., 0] = 20.0
    return replace(video, logits=logits, quality=torch.full(video.covered.shape, quality).logit())


def test_bad_masks_begin_no_sequence_though_there_are_no_classes() -> None:
    empty = torch.full((20, 4, H, W), -5.0)
    bad = InstanceSequences(torch.zeros(20, 4, 2), None, empty, torch.ones(20, 4, dtype=torch.bool))
    bad = expected_quality(bad, 0.01)
    clips = [(start, bad) for start in range(0, 40, 2)]
    parts = list(link(ClipLinker(), clips))
    assert max(int(part.ids.max()) for part in parts if len(part.ids)) == 20  # of the first clip
    good = expected_quality(planted_video(), 0.9)
    clips = [clip_of(good, start, 4, [0, 1, 2]) for start in plan_clips(T, 4, 2)]
    clips = [(start, expected_quality(clip, 0.9)) for start, clip in clips]
    assert max(int(part.ids.max()) for part in link(ClipLinker(), clips)) == 3


def test_quality_is_averaged_where_clips_overlap() -> None:
    video = planted_video()
    clips = [
        (start, expected_quality(clip_of(video, start, 4, [0, 1, 2])[1], quality))
        for start, quality in ((0, 0.2), (2, 0.8))
    ]
    parts = [part.sequences.quality.sigmoid()[0] for part in link(ClipLinker(), clips)]
    expected = [0.2, 0.2, 0.5, 0.5, 0.8, 0.8]  # the mean of logits that are opposite
    torch.testing.assert_close(torch.cat(parts), torch.tensor(expected))


def changing_looks(video: InstanceSequences) -> InstanceSequences:
    """States of which those of neighbouring frames have a cosine of 0.3, those of others of 0."""
    torch.manual_seed(0)
    looks = F.normalize(torch.randn(len(video), T, 4096), dim=-1)
    looks[:, 1:] += 0.35 * looks[:, :-1]
    return replace(video, states=looks)


def single_frames(video: InstanceSequences) -> list[tuple[int, InstanceSequences]]:
    orders = itertools.cycle(itertools.permutations(range(len(video))))
    frames = ((t, video.frames(t, t + 1)) for t in range(T))
    return [(t, frame.select(torch.tensor(next(orders)))) for t, frame in frames]


def test_single_frames_are_joined_by_their_masks_as_well() -> None:
    video = changing_looks(planted_video())
    result = joined(link(ClipLinker(same_place=1.0), single_frames(video)))
    assert torch.equal(result.mask_logits[:3], video.mask_logits[:3])


def test_masks_join_neighbouring_frames_only() -> None:
    video = changing_looks(planted_video(1))
    video.mask_logits[0, 4] = -5.0  # hidden in one frame
    seen = [
        part.ids[(part.sequences.mask_logits > 0).flatten(1).any(1)].tolist()
        for part in link(ClipLinker(same_place=1.0), single_frames(video))
    ]
    assert seen[:4] == [seen[0]] * 4
    assert seen[5:] == [seen[5]] * 4
    assert seen[0] != seen[5]


def test_duplicates_of_a_clip_are_left_out_before_ids_are_given() -> None:
    video = planted_video(2)
    better = video.select(torch.tensor([0, 1, 0]))
    better.logits[0, :, 0] = 3.0  # the same masks as the last one, with a lower score
    clips = [(t, better.frames(t, t + 1)) for t in range(T)]
    parts = list(link(ClipLinker(nms_iou=0.5), clips))
    assert [part.ids.tolist() for part in parts] == [[1, 2]] * T
    result = joined(parts)
    assert torch.equal(result.mask_logits, video.mask_logits[[1, 0]])
    assert result.logits[1, 0, 0] == 6.0
