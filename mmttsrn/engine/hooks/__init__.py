"""Hooks of the runner."""

from mmttsrn.engine.hooks.checkpoint_hook import SafeWriteCheckpointHook
from mmttsrn.engine.hooks.class_count_check_hook import ClassCountCheckHook
from mmttsrn.engine.hooks.finite_loss_hook import FiniteLossHook
from mmttsrn.engine.hooks.mask_annealing_hook import MaskAnnealingHook
from mmttsrn.engine.hooks.prediction_progress_hook import PredictionProgressHook
from mmttsrn.engine.hooks.safe_checkpoint_hook import SafeCheckpointHook
from mmttsrn.engine.hooks.step_seed_hook import StepSeedHook
from mmttsrn.engine.hooks.stop_hook import StopHook
from mmttsrn.engine.hooks.visualization_hook import VISVisualizationHook

__all__ = [
    "ClassCountCheckHook",
    "FiniteLossHook",
    "MaskAnnealingHook",
    "PredictionProgressHook",
    "SafeCheckpointHook",
    "SafeWriteCheckpointHook",
    "StepSeedHook",
    "StopHook",
    "VISVisualizationHook",
]
