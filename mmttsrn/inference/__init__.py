"""Prediction of videos of any length, frame by frame."""

from mmttsrn.inference.video_predictor import ClipModel, VideoPredictor
from mmttsrn.inference.video_run import VideoRun

__all__ = ["ClipModel", "VideoPredictor", "VideoRun"]
