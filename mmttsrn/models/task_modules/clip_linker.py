"""Sequences of a long video from the sequences of its clips."""

from typing import Any, cast

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from mmttsrn.models.task_modules.sequence_looks import FIRST_ID, NEVER, Looks, is_seen, mask_iou
from mmttsrn.registry import TASK_UTILS
from mmttsrn.structures import FinishedFrames, InstanceSequences

# A sequence that was seen up to the end of the last clip is preferred to one that returns, by this
# much similarity.
CONTINUED = 0.2


class LinkedVideo:
    """State of the linking of one video: the frames that can still change, and who was lost.

    Args:
        linker: Its settings.

    Attributes:
        start: First frame that is held.
        released: First frame that was not given away.
        count: Sequences of the video so far.
        sequences: The S sequences in the frames held; like the next two, there from the first clip.
        looks: Looks of these S.
        lost: Looks of those without a prediction in these frames.
    """

    sequences: InstanceSequences
    looks: Looks
    lost: Looks

    def __init__(self, linker: "ClipLinker") -> None:
        self.linker = linker
        self.start = self.released = self.count = 0
        self.has_clip = False

    def state_dict(self) -> dict[str, Any]:
        """Give all that is known of the video, as tensors and numbers, which are not copied."""
        parts = (self.sequences, self.looks, self.lost) if self.has_clip else ()
        return dict(
            numbers=(self.start, self.released, self.count),
            parts=[dict(vars(part)) for part in parts],
        )

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a :meth:`state_dict`."""
        self.start, self.released, self.count = state["numbers"]
        parts = [part for part in state["parts"] if part is not None]
        self.has_clip = bool(parts)
        if parts:
            sequences, looks, lost = parts
            self.sequences = InstanceSequences(**sequences)
            self.looks, self.lost = Looks(**looks), Looks(**lost)

    @torch.no_grad()
    def add(self, start: int, clip: InstanceSequences) -> None:
        """Link the sequences of the next clip.

        Args:
            start: Its first frame, not before that of the clip before. Frames before it are
                forgotten; those that were not released are lost.
            clip: Its sequences; nothing of it is kept.
        """
        looks = Looks.of_clip(start, clip, with_masks=self.linker.same_place > 0)
        if self.linker.nms_iou is not None and clip.mask_logits is not None:
            kept = _without_duplicates(clip, looks, self.linker.nms_iou)
            clip, looks = clip.select(kept), looks.select(kept.cpu())
            looks.ids = torch.arange(len(looks)) + FIRST_ID
        if not self.has_clip:
            self.has_clip, self.count = True, len(clip)
            self.start = self.released = start
            self.sequences = clip.select(torch.arange(len(clip)))
            self.looks, self.lost = looks, looks.select(torch.arange(0))
            return
        self._forget(start)
        rows, slots = self._continued(clip, looks)
        back, back_slots = self._recognised(start, clip, looks, rows, slots)
        free = torch.ones(len(clip), dtype=torch.bool)
        free[slots] = free[back_slots] = False
        free &= looks.classes[:, :-1].amax(-1) >= self.linker.min_score
        if not self._shares_frames():
            free &= looks.seen != NEVER  # it would be forgotten with the next clip
        new = free.nonzero().squeeze(1)
        new_looks = looks.select(new)
        new_looks.ids = torch.arange(len(new)) + self.count + FIRST_ID
        self.count += len(new)
        rows, slots = torch.cat([rows, back]), torch.cat([slots, back_slots])
        self.looks.update(rows, looks.select(slots))
        new_rows = torch.arange(len(new)) + len(self.looks)
        self.looks = self.looks.append(new_looks)
        frames = max(clip.covered.shape[1], self.sequences.covered.shape[1])
        self.sequences = self.sequences.extended(len(self.looks), frames)
        _merge(self.sequences, torch.cat([rows, new_rows]), clip, torch.cat([slots, new]))

    def release(self, stop: int) -> FinishedFrames:
        """Give away the frames before ``stop`` that were not given away yet."""
        part = self.sequences.frames(self.released - self.start, stop - self.start)
        self.released = stop
        rows = part.covered.any(1).nonzero().squeeze(1)
        ids = self.looks.ids
        if len(rows) < len(ids):
            part, ids = part.select(rows), ids[rows.cpu()]
        return FinishedFrames(ids, part)

    def _forget(self, start: int) -> None:
        """Drop the frames before ``start``; sequences that end there are remembered a while."""
        rest = self.sequences.frames(start - self.start, self.sequences.covered.shape[1])
        held = rest.covered.any(1).cpu()
        self.start, self.released = start, max(start, self.released)
        self.sequences = rest.select(held.nonzero().squeeze(1))
        self.lost = self.lost.append(self.looks.select(~held))
        recent = (self.lost.seen != NEVER) & (self.lost.seen >= start - self.linker.memory)
        self.lost, self.looks = self.lost.select(recent), self.looks.select(held)

    def _shares_frames(self) -> bool:
        """Whether the next clip shares frames with the last one, once older ones are forgotten."""
        return self.sequences.covered.shape[1] > 0

    def _continued(self, clip: InstanceSequences, looks: Looks) -> tuple[Tensor, Tensor]:
        """Rows that are held and slots of the clip that are the same by the frames they share."""
        shared = self.sequences.covered.any(0)
        if not len(self.looks) or not shared.any():
            return torch.arange(0), torch.arange(0)
        old = self.sequences.select(torch.arange(len(self.looks)), shared)
        new = clip.frames(0, len(shared)).select(torch.arange(len(clip)), shared)
        iou = _overlap(old, new).cpu()
        agreement = old.logits.softmax(-1).mean(1) @ new.logits.softmax(-1).mean(1).T
        score = iou + agreement.cpu() + 0.1 * self.looks.similarity(looks)
        return _assign(score, iou >= self.linker.min_iou)

    def _recognised(
        self, start: int, clip: InstanceSequences, looks: Looks, rows: Tensor, slots: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Rows of sequences that slots look like, and these slots; those lost are held again.

        ``rows`` and ``slots`` have been paired by their masks.
        """
        seen = is_seen(clip).cpu()
        first = start + seen.int().argmax(1)
        is_candidate = seen.any(1) & (looks.classes[:, :-1].amax(-1) >= self.linker.min_score)
        is_candidate[slots] = False
        columns = is_candidate.nonzero().squeeze(1)
        known = self.looks.append(self.lost)
        gone = torch.ones(len(known), dtype=torch.bool)
        gone[rows] = False
        gap = first[columns] - known.seen[:, None]
        allowed = gone[:, None] & (known.seen[:, None] != NEVER)
        allowed = allowed & (gap > 0) & (gap <= self.linker.memory)
        candidates = looks.select(columns)
        similarity = known.similarity(candidates)
        score = known.classes @ candidates.classes.T
        if not self._shares_frames():
            similarity += self.linker.same_slot * (known.slots[:, None] == candidates.slots)
            score += CONTINUED * (known.seen[:, None] == start - 1)
            if self.linker.same_place > 0:
                overlap = known.overlap(clip.select(columns), (first - start)[columns])
                similarity += self.linker.same_place * overlap * (gap == 1)
        allowed &= similarity >= self.linker.min_similarity
        score += similarity
        found, chosen = _assign(score, allowed)
        is_lost = found >= len(self.looks)
        back = found.clone()
        back[is_lost] = torch.arange(int(is_lost.sum())) + len(self.looks)
        kept = torch.arange(len(known)) >= len(self.looks)
        kept[found] = False
        self.looks = self.looks.append(known.select(found[is_lost]))
        self.lost = known.select(kept)
        return back, columns[chosen]


@TASK_UTILS.register_module()
class ClipLinker:
    """Give the sequences of the clips of a video ids that hold for the whole video.

    The model predicts a video clip by clip, and each clip numbers its sequences anew. Where
    neighbouring clips overlap, a sequence is recognised by its masks in the frames that they share
    (dots are frames without a mask)::

        frame       0   1   2   3   4   5   6   7
        clip 1    [ a   a   a   a ]                 the window: two sequences are held
                  [ b   b   .   . ]
        clip 2            [ p   p   p   p ]         frames 2, 3: the masks of a -> p continues a
                   release|                         frames 0, 1 are final
        clip 3                    [ q   q   q   q ] frames 4, 5: the masks of p -> q continues a
                           release|                 b has no frame in the window: it is lost
                                  [ .   .   r   r ] nobody's masks, but looks like b -> b returned
                                  [ .   .   s   s ] nobody's masks or looks -> a new sequence

    :meth:`LinkedVideo.add` takes the clips in. The window is the frames of the last clip; frames
    before the next one are final, and :meth:`LinkedVideo.release` gives them away. A sequence is

    - *held* while it has a prediction in the window.
    - *continued* by the slot of the next clip that it is paired with: one to one, by a Hungarian
      assignment on mask IoU in the shared frames (box IoU without masks) plus class agreement plus
      a tenth of the similarity of the decoder states. Only pairs whose IoU reaches ``min_iou`` are
      joined. Shared frames keep the mean of what is held and what the clip predicts; of three
      clips, the third one weighs a half.
    - *lost* when it has no prediction in the window any more. Its looks (mean decoder state and
      class probabilities, with ``same_place`` also a mask) are remembered for ``memory`` frames.
    - *returned* when a slot that continues nobody looks like it, by another assignment, on
      similarity of the states, at least ``min_similarity``, plus class agreement. The slot gets
      its id.

    Every other slot whose score reaches ``min_score`` begins a sequence of its own.

    Clips that share no frame, such as single frames, are linked by their queries: all sequences are
    *returned*, by the looks of the last clip in which they were seen. A sequence that was seen in
    the frame before the clip is preferred, the more its mask there overlaps, by ``same_place``, and
    so is the same slot, by ``same_slot``, if the model carries its queries from clip to clip. A
    slot takes part in the clips in which it has a mask pixel and its score reaches ``min_score``:
    an empty one tells nothing of its object, which has to come back, in any slot, within ``memory``
    frames. What a slot shows is taken as one object within a clip.

    Args:
        min_iou: Smallest IoU over the shared frames that joins two sequences.
        min_score: A sequence that starts after the first clip is kept when its mean score over
            its clip reaches this; bounds the number of sequences of a long video.
        memory: Frames after which a sequence that is not seen is forgotten; 0 for no memory, with
            which clips that share no frame are not joined.
        min_similarity: Smallest cosine of the decoder states, with what the next two arguments add,
            for an id to be given back. A decoder without states gives it back to the same query
            slot.
        same_slot: Added to that cosine for the same query slot where clips share no frame. Above 0
            for models whose queries are carried from clip to clip, so that a slot stays with its
            object: with 0.2 the id stays down to a cosine of 0.5, below that it is a new object.
        same_place: Added to that cosine, times the IoU of the masks in two neighbouring frames,
            where clips share no frame. Above 0 for models whose states of an object change.
        nms_iou: Of two sequences of a clip whose masks overlap by more than this IoU, the one with
            the lower score is left out, so that ids do not change between the two; None keeps all.

    Source: matching of the queries of single frames as in MinVIS (NeurIPS 2022), which has no
    memory, and pairs all queries, whatever they show.
    """

    def __init__(
        self,
        min_iou: float = 0.2,
        min_score: float = 0.05,
        memory: int = 60,
        min_similarity: float = 0.7,
        same_slot: float = 0.0,
        same_place: float = 0.0,
        nms_iou: float | None = None,
    ) -> None:
        self.min_iou = min_iou
        self.min_score = min_score
        self.memory = memory
        self.min_similarity = min_similarity
        self.same_slot = same_slot
        self.same_place = same_place
        self.nms_iou = nms_iou

    def start(self) -> LinkedVideo:
        """Begin a video."""
        return LinkedVideo(self)


def _assign(score: Tensor, allowed: Tensor) -> tuple[Tensor, Tensor]:
    """Pairs (rows, columns) of the best one-to-one assignment among those that are allowed."""
    rows, columns = map(torch.as_tensor, linear_sum_assignment(-(score.float() + 10) * allowed))
    ok = allowed[rows, columns]
    return rows[ok], columns[ok]


def _without_duplicates(clip: InstanceSequences, looks: Looks, nms_iou: float) -> Tensor:
    """Rows of the sequences that no better one overlaps by more than ``nms_iou``, in order."""
    masks = cast(Tensor, clip.mask_logits).flatten(1) > 0
    overlaps = (mask_iou(masks, masks) > nms_iou).tolist()
    kept: list[int] = []
    for row in looks.classes[:, :-1].amax(-1).argsort(descending=True, stable=True).tolist():
        if not any(overlaps[row][other] for other in kept):
            kept.append(row)
    return torch.tensor(sorted(kept), dtype=torch.int64, device=masks.device)


def _overlap(a: InstanceSequences, b: InstanceSequences) -> Tensor:
    """IoU (A, B) over all shared frames together."""
    if a.mask_logits is None or b.mask_logits is None:
        return _box_iou(*(cast(Tensor, s.boxes) for s in (a, b)))
    return mask_iou(*(masks.flatten(1) > 0 for masks in (a.mask_logits, b.mask_logits)))


def _box_iou(a: Tensor, b: Tensor) -> Tensor:
    low = torch.max(*((c[..., :2] - c[..., 2:] / 2) for c in (a[:, None], b[None])))
    high = torch.min(*((c[..., :2] + c[..., 2:] / 2) for c in (a[:, None], b[None])))
    inter = (high - low).clamp(min=0).prod(-1).sum(-1)
    areas = [c[..., 2:].prod(-1).sum(-1) for c in (a, b)]
    return inter / (areas[0][:, None] + areas[1] - inter).clamp(min=1e-6)


def _merge(window: InstanceSequences, rows: Tensor, clip: InstanceSequences, slots: Tensor) -> None:
    """Write clip rows ``slots`` into window rows ``rows``; average where both are covered."""
    num_frames = clip.covered.shape[1]
    old = window.covered[rows, :num_frames]
    for name in ("logits", "boxes", "mask_logits", "states", "quality"):
        target, source = getattr(window, name), getattr(clip, name)
        if target is None:
            continue
        share = (old.to(source.dtype) / 2).view(*old.shape, *[1] * (source.dim() - 2))
        target[rows, :num_frames] = share * target[rows, :num_frames] + (1 - share) * source[slots]
    window.covered[rows, :num_frames] = True
