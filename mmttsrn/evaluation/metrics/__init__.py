"""Metrics for the evaluators of MMEngine."""

from mmttsrn.evaluation.metrics.dump_track_results import DumpTrackResults
from mmttsrn.evaluation.metrics.youtube_vis_metric import YouTubeVISMetric

__all__ = ["DumpTrackResults", "YouTubeVISMetric"]
