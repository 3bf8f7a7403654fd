"""Hooks of the runner."""

from mmttsrn.engine.hooks.class_count_check_hook import ClassCountCheckHook
from mmttsrn.engine.hooks.process_memory_hook import HostMemoryHook
from mmttsrn.engine.hooks.safe_checkpoint_hook import SafeCheckpointHook
from mmttsrn.engine.hooks.visualization_hook import VISVisualizationHook

__all__ = [
    "ClassCountCheckHook",
    "HostMemoryHook",
    "SafeCheckpointHook",
    "VISVisualizationHook",
]
