"""Scores of instance queries with and without the quality of their masks."""

import torch

from mmttsrn.models.task_modules.instance_query_post_processor import InstanceQueryPostProcessor
from mmttsrn.structures import FinishedFrames, FrameSizes, InstanceSequences


def test_mask_quality_is_the_mean_probability_of_the_mask() -> None:
    logits = torch.tensor([[2.0, 0.0, 1.0], [0.0, 1.0, 0.0]])  # Q, K+1
    masks = torch.full((2, 1, 4, 4), -5.0)
    masks[0, :, :2], masks[1, :, 2:] = 1.0, 3.0
    clip = InstanceSequences.from_clip(logits[None], None, masks)
    sizes = FrameSizes((16, 16), (16, 16), (16, 16))
    probabilities = logits.softmax(-1)[:, :-1].amax(1)
    quality = torch.tensor([1.0, 3.0]).sigmoid()
    for mask_quality, expected in ((True, probabilities * quality), (False, probabilities)):
        processor = InstanceQueryPostProcessor(mask_quality=mask_quality)
        results = processor([FinishedFrames(torch.arange(2), clip)], sizes)
        torch.testing.assert_close(results.scores, expected.sort(descending=True).values)
