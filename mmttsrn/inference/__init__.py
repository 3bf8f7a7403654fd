"""Prediction of videos of any length, frame by frame."""

from mmttsrn.inference.video_predictor import ClipModel, VideoPredictor

__all__ = ["ClipModel", "VideoPredictor"]
