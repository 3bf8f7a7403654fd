"""Evaluation of video instance segmentation."""

from .youtube_vis_metric import YouTubeVISMetric
from .ytvis_ap import evaluate_ytvis

__all__ = ["YouTubeVISMetric", "evaluate_ytvis"]
