"""MMDetection's Mask2Former for videos, as a baseline that is tested like the models here."""

from mmdet.models.vis import Mask2FormerVideo as HostMask2FormerVideo

from mmttsrn.hosts.mmdet.prediction import PredictsVideos
from mmttsrn.registry import MODELS


@MODELS.register_module()
class Mask2FormerVideo(PredictsVideos, HostMask2FormerVideo):
    """mmdet's model, whose videos are predicted as those of the other models.

    Arguments are those of :class:`mmdet.models.vis.Mask2FormerVideo`. It gives the 10 best pairs of
    query and class, see :class:`~mmttsrn.hosts.mmdet.clip_models.Mask2FormerClips`.
    """
