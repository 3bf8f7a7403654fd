"""Hooks of the runner."""

from .class_count_check_hook import ClassCountCheckHook
from .host_memory_hook import HostMemoryHook
from .safe_checkpoint_hook import SafeCheckpointHook
from .visualization_hook import VISVisualizationHook

__all__ = [
    "ClassCountCheckHook",
    "HostMemoryHook",
    "SafeCheckpointHook",
    "VISVisualizationHook",
]
