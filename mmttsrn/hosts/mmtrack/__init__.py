"""MMTracking as host: what takes its samples or extends its classes."""

from mmttsrn.hosts.mmtrack_importing import import_mmtrack

import_mmtrack()

from mmttsrn.hosts.mmtrack.dataset import MMTrackYouTubeVISDataset  # noqa: E402
from mmttsrn.hosts.mmtrack.metric import MMTrackYouTubeVISMetric  # noqa: E402
from mmttsrn.hosts.mmtrack.model import MMTrackTTSRN  # noqa: E402
from mmttsrn.hosts.mmtrack.packing import MMTrackPackInputs  # noqa: E402
from mmttsrn.hosts.mmtrack.visualization_hook import MMTrackVisualizationHook  # noqa: E402

__all__ = [
    "MMTrackPackInputs",
    "MMTrackTTSRN",
    "MMTrackVisualizationHook",
    "MMTrackYouTubeVISDataset",
    "MMTrackYouTubeVISMetric",
    "import_mmtrack",
]
