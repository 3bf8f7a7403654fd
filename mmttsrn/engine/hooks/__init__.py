"""Hooks of the runner."""

from .class_count_check_hook import ClassCountCheckHook
from .visualization_hook import VISVisualizationHook

__all__ = ["ClassCountCheckHook", "VISVisualizationHook"]
