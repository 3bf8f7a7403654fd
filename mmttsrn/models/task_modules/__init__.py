"""Matching, linking and post-processing of instance sequences."""

from .clip_linker import ClipLinker, plan_clips
from .sequence_costs import SequenceBoxL1Cost, SequenceClassCost, SequenceIoUCost
from .sequence_matcher import InstanceSequenceMatcher
from .sequence_post_processor import SequencePostProcessor

__all__ = [
    "ClipLinker",
    "InstanceSequenceMatcher",
    "SequenceBoxL1Cost",
    "SequenceClassCost",
    "SequenceIoUCost",
    "SequencePostProcessor",
    "plan_clips",
]
