"""Metrics for the evaluators of MMEngine."""

from .dump_track_results import DumpTrackResults
from .youtube_vis_metric import YouTubeVISMetric

__all__ = ["DumpTrackResults", "YouTubeVISMetric"]
