"""Drawing of instance sequences: overlays of frames and videos, and the visualizer."""

from .vis_visualizer import VISLocalVisualizer

__all__ = ["VISLocalVisualizer"]
