"""Evaluation of video instance segmentation.

``ytvis`` computes the numbers from files or their content, ``metrics`` connects it to MMEngine's
evaluators. Metrics are imported by their registry on first use, so that an evaluation of files does
not load the host.
"""

from mmttsrn.evaluation.result import Evaluation
from mmttsrn.evaluation.ytvis import evaluate_ytvis

__all__ = ["Evaluation", "evaluate_ytvis"]
