"""The code bases that the model is plugged into, a room for each."""

from mmttsrn.host_internals import import_quietly

import_quietly("mmdet.evaluation.metrics")
