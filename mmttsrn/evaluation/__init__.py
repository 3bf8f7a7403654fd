"""Evaluation of video instance segmentation.

``functional`` computes the numbers from files or their content, ``metrics`` connects it to the
host's evaluators. Metrics are imported by their registry on first use, so that an evaluation of
files does not load the host.
"""

from .functional import Evaluation, evaluate_ytvis

__all__ = ["Evaluation", "evaluate_ytvis"]
