"""Registry nodes of scope ``mmttsrn``, children of the MMEngine root registries.

A config reaches them from any host scope by prefix, e.g. ``type="mmttsrn.TTSRN"``.
``locations`` lets a registry import its modules on first use, so a config needs no import list
beyond the package itself.
"""

from mmengine.registry import DATA_SAMPLERS as MMENGINE_DATA_SAMPLERS
from mmengine.registry import DATASETS as MMENGINE_DATASETS
from mmengine.registry import HOOKS as MMENGINE_HOOKS
from mmengine.registry import METRICS as MMENGINE_METRICS
from mmengine.registry import MODELS as MMENGINE_MODELS
from mmengine.registry import TASK_UTILS as MMENGINE_TASK_UTILS
from mmengine.registry import TRANSFORMS as MMENGINE_TRANSFORMS
from mmengine.registry import VISUALIZERS as MMENGINE_VISUALIZERS
from mmengine.registry import WEIGHT_INITIALIZERS as MMENGINE_WEIGHT_INITIALIZERS
from mmengine.registry import Registry

from mmttsrn.host_internals import name_config_package

SCOPE = "mmttsrn"

name_config_package(SCOPE)


def _node(name: str, parent: Registry, *rooms: str) -> Registry:
    return Registry(name, parent=parent, scope=SCOPE, locations=[f"{SCOPE}.{r}" for r in rooms])


DATASETS = _node("dataset", MMENGINE_DATASETS, "hosts.mmdet")
DATA_SAMPLERS = _node("data sampler", MMENGINE_DATA_SAMPLERS, "datasets")
TRANSFORMS = _node("transform", MMENGINE_TRANSFORMS, "datasets", "hosts.mmdet")
MODELS = _node(
    "model", MMENGINE_MODELS, "models", "hosts.mmdet", "hosts.timm", "hosts.transformers"
)
TASK_UTILS = _node("task util", MMENGINE_TASK_UTILS, "models")
METRICS = _node("metric", MMENGINE_METRICS, "evaluation.metrics")
HOOKS = _node("hook", MMENGINE_HOOKS, "engine.hooks", "hosts.mmdet")
VISUALIZERS = _node("visualizer", MMENGINE_VISUALIZERS, "hosts.mmdet")
WEIGHT_INITIALIZERS = _node(
    "weight initializer", MMENGINE_WEIGHT_INITIALIZERS, "checkpoints", "hosts.timm"
)
