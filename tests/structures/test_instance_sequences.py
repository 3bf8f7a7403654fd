import pytest
import torch

from mmttsrn.structures import InstanceSequences


@pytest.mark.parametrize("with_masks", [True, False])
def test_sequences_of_a_clip_are_instance_major(with_masks: bool) -> None:
    logits, boxes = torch.randn(3, 4, 6), torch.rand(3, 4, 4)  # T=3, Q=4
    masks = torch.randn(4, 3, 5, 7) if with_masks else None
    sequences = InstanceSequences.from_clip(logits, boxes, masks)
    assert torch.equal(sequences.logits[1, 2], logits[2, 1])
    assert torch.equal(sequences.boxes[1, 2], boxes[2, 1])
    assert sequences.mask_logits is masks
    assert sequences.covered.shape == (4, 3)
    assert sequences.covered.all()
    part = sequences.frames(1, 3)
    assert torch.equal(part.logits, sequences.logits[:, 1:3])
    assert torch.equal(part.boxes, sequences.boxes[:, 1:3])
    assert part.covered.shape == (4, 2)
    assert torch.equal(part.mask_logits, masks[:, 1:3]) if with_masks else part.mask_logits is None
