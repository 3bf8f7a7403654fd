"""Matching, linking and post-processing of instance sequences."""

from mmttsrn.models.task_modules.clip_linker import ClipLinker, LinkedVideo
from mmttsrn.models.task_modules.instance_query_post_processor import InstanceQueryPostProcessor
from mmttsrn.models.task_modules.post_processor import PostProcessor, VideoScoring
from mmttsrn.models.task_modules.sequence_costs import (
    SequenceBoxL1Cost,
    SequenceClassCost,
    SequenceCost,
    SequenceDiceCost,
    SequenceIoUCost,
    SequenceMaskCost,
)
from mmttsrn.models.task_modules.sequence_matcher import InstanceSequenceMatcher
from mmttsrn.models.task_modules.sequence_post_processor import SequencePostProcessor

__all__ = [
    "ClipLinker",
    "InstanceQueryPostProcessor",
    "InstanceSequenceMatcher",
    "LinkedVideo",
    "PostProcessor",
    "SequenceBoxL1Cost",
    "SequenceClassCost",
    "SequenceCost",
    "SequenceDiceCost",
    "SequenceIoUCost",
    "SequenceMaskCost",
    "SequencePostProcessor",
    "VideoScoring",
]
