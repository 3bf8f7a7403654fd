"""From results to what is drawn on a frame."""

from collections.abc import Sequence

from mmttsrn.structures import SequenceResults
from mmttsrn.visualization.overlay import FrameInstances


def predicted_instances(
    results: SequenceResults,
    frame: int,
    classes: Sequence[str] | None = None,
    score_thr: float = 0.0,
) -> FrameInstances:
    """Take the instances of one frame.

    Args:
        results: Sequences of a video.
        frame: Index of the frame.
        classes: Class names by label.
        score_thr: Sequences whose score is below it are left out.

    Returns:
        The visible ones of the others; their ids are their places among the results.
    """
    shown = results.visible[:, frame] & (results.scores >= score_thr)
    rows = shown.nonzero().squeeze(1).tolist()
    labels = results.labels[rows].tolist()
    masks = results.frame_masks(frame)
    return FrameInstances(
        ids=rows,
        names=[classes[label] if classes else f"class {label}" for label in labels],
        masks=None if masks is None else masks[rows],
        boxes=results.boxes[rows, frame].numpy(),
        scores=results.scores[rows].tolist(),
    )
