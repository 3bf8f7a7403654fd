"""Evaluation as functions of files, free of models and of the host."""

from .evaluate import evaluate, evaluate_ytvis
from .evaluation import STAT_NAMES, Evaluation
from .ground_truth_file import load_ground_truth
from .results_file import load_results

__all__ = [
    "STAT_NAMES",
    "Evaluation",
    "evaluate",
    "evaluate_ytvis",
    "load_ground_truth",
    "load_results",
]
