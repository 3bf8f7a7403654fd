"""MMTracking's visualisation hook, mended."""

from pathlib import Path
from types import SimpleNamespace

import host_mmtrack  # noqa: F401
import numpy as np
import pytest
import torch
from mmdet.structures.mask import BitmapMasks
from mmengine.structures import InstanceData
from mmtrack.engine.hooks import TrackVisualizationHook
from mmtrack.structures import TrackDataSample
from mmtrack.visualization import TrackLocalVisualizer

from mmttsrn.formats.frames import read_frame
from mmttsrn.hosts.mmdet import VISLocalVisualizer
from mmttsrn.hosts.mmtrack import MMTrackVisualizationHook
from mmttsrn.visualization.video_io import write_frame

FRAMES, SIZE = 3, (48, 64)


def video(folder: Path, name: str) -> list[TrackDataSample]:
    """Frames on disk with one object, which is predicted and annotated."""
    found = []
    for frame in range(FRAMES):
        path = folder / name / f"{frame:05d}.jpg"
        write_frame(path, np.full((*SIZE, 3), 40, np.uint8))
        sample = TrackDataSample(metainfo=dict(img_path=str(path), frame_id=frame))
        masks = np.zeros((1, *SIZE), np.uint8)
        masks[0, 10:30, 10:40] = 1
        common = dict(
            bboxes=torch.tensor([[10.0, 10, 40, 30]]),
            labels=torch.tensor([0]),
            instances_id=torch.tensor([3]),
        )
        sample.gt_instances = InstanceData(masks=BitmapMasks(masks, *SIZE), **common)
        sample.pred_track_instances = InstanceData(
            masks=torch.from_numpy(masks).bool(), scores=torch.tensor([0.9]), **common
        )
        found.append(sample)
    return found


def hook_of(kind: type, visualizer: type, name: str, **kwargs) -> TrackVisualizationHook:
    visualizer.get_instance(name).dataset_meta = {"classes": ("cat",), "CLASSES": ("cat",)}
    return kind(draw=True, interval=1, **kwargs)


def test_batches_of_whole_videos_with_bitmap_masks(tmp_path: Path) -> None:
    videos = {name: video(tmp_path / "frames", name) for name in ("a", "b")}
    runner = SimpleNamespace(work_dir=str(tmp_path), timestamp="now")
    base = hook_of(TrackVisualizationHook, TrackLocalVisualizer, "base", test_out_dir="drawn")
    with pytest.raises(AssertionError, match="batch_size=1"):
        base.after_test_iter(runner, 0, {}, videos["a"])
    with pytest.raises(TypeError, match="BitmapMasks"):
        base.after_test_iter(runner, 0, {}, videos["a"][:1])
    hook = hook_of(MMTrackVisualizationHook, VISLocalVisualizer, "ours", test_out_dir="drawn")
    for index, samples in enumerate(videos.values()):
        hook.after_test_iter(runner, index, {}, samples)
    drawn = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("drawn/**/*"))
    files = [path for path in drawn if path.endswith(".jpg")]
    assert files == [f"now/drawn/{name}/{frame:05d}.jpg" for name in "ab" for frame in range(3)]
    assert read_frame(tmp_path / files[0]).max() > 100


def test_frames_one_by_one_and_the_interval(tmp_path: Path) -> None:
    runner = SimpleNamespace(work_dir=str(tmp_path), timestamp="now")
    hook = hook_of(MMTrackVisualizationHook, VISLocalVisualizer, "single", test_out_dir="drawn")
    hook.interval = 2
    for index, sample in enumerate(video(tmp_path / "frames", "a")):
        hook.after_test_iter(runner, index, {}, [sample])
    found = sorted(path.name for path in (tmp_path / "now/drawn/a").iterdir())
    assert found == ["00000.jpg", "00002.jpg"]


def test_validation_gives_frames_to_the_backends(tmp_path: Path) -> None:
    hook = hook_of(MMTrackVisualizationHook, VISLocalVisualizer, "backends")
    given = []
    hook._visualizer.add_image = lambda name, image, step: given.append((name, step))
    hook.after_val_iter(SimpleNamespace(iter=5), 0, {}, video(tmp_path, "a"))
    assert given == [("val_img", 5), ("val_img", 6), ("val_img", 7)]


def test_nothing_is_drawn_unless_asked(tmp_path: Path) -> None:
    VISLocalVisualizer.get_instance("silent")
    MMTrackVisualizationHook(draw=False).after_test_iter(None, 0, {}, [object()])
