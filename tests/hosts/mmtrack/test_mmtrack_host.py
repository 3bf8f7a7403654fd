"""The same model under both hosts: losses, weights, predictions."""

import json
import runpy
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import host_mmtrack  # noqa: F401
import mmengine.device.utils
import mmtrack
import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmtrack.models.mot import BaseMultiObjectTracker
from mmtrack.registry import DATASETS as MMTRACK_DATASETS
from mmtrack.registry import HOOKS as MMTRACK_HOOKS
from mmtrack.registry import METRICS as MMTRACK_METRICS
from mmtrack.registry import MODELS as MMTRACK_MODELS
from torch.utils.data import Sampler

from mmttsrn import VISInferencer
from mmttsrn.apis.building import state_without_values
from mmttsrn.apis.config_file import configs_folder, load_config
from mmttsrn.checkpoints import load_checkpoint_file
from mmttsrn.datasets.seeded_sampling import SeededIndex
from mmttsrn.datasets.synthetic import write_moving_shapes
from mmttsrn.errors import UserInputError
from mmttsrn.evaluation.metrics import YouTubeVISMetric
from mmttsrn.registry import DATA_SAMPLERS, HOOKS

STEPS = 20
RELEASE = "ttsrn-m2f_tiny_shapes"
HOSTS = ("vis", "mmtrack")
DATALOADERS = ("train_dataloader", "val_dataloader", "test_dataloader")


@DATA_SAMPLERS.register_module()
class KeyFrames(Sampler):
    """Frames in a random order that is the same for the data sets of both hosts."""

    def __init__(self, dataset: Any, seed: int = 0) -> None:
        self.keys: list[Any] = []
        for index in range(len(dataset)):
            info = dataset.get_data_info(index)
            if "images" not in info:  # frame by frame
                self.keys.append(index)
                continue
            self.keys += [(index, frame) for frame in range(info["video_length"])]
        generator = torch.Generator().manual_seed(seed)
        self.order = torch.randperm(len(self.keys), generator=generator).tolist()

    def __len__(self) -> int:
        return len(self.order)

    def __iter__(self) -> Iterator[Any]:
        while True:
            yield from (self.keys[place] for place in self.order)


@HOOKS.register_module()
class KeepLosses(Hook):
    """Keeps the losses of all steps."""

    def __init__(self) -> None:
        self.losses: list[dict[str, float]] = []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        self.losses.append({name: value.item() for name, value in outputs.items()})


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_moving_shapes(folder, train_clips=4, val_clips=2, num_frames=7, size=(64, 96))
    return folder


def config_of(host: str, data: Path, work_dir: Path, **changes: Any) -> Config:
    cfg = load_config(str(configs_folder() / host / f"{RELEASE}.py"))
    options = {f"{name}.dataset.data_root": f"{data}/" for name in DATALOADERS}
    options |= {f"{name}.num_workers": 0 for name in DATALOADERS}
    options |= {f"{name}.persistent_workers": False for name in DATALOADERS}
    cfg.train_dataloader.sampler = dict(type="mmttsrn.KeyFrames")
    options["train_cfg.max_iters"] = options["train_cfg.val_interval"] = STEPS
    options["default_hooks.checkpoint.interval"] = STEPS
    cfg.merge_from_dict(options | changes)
    cfg.param_scheduler = None
    cfg.randomness = dict(seed=5)
    cfg.work_dir = str(work_dir)
    cfg.experiment_name = f"{work_dir.name}_{host}"
    cfg.visualizer.name = cfg.experiment_name
    cfg.custom_hooks.append(dict(type="mmttsrn.KeepLosses"))
    return cfg


def train(host: str, data: Path, work_dir: Path, **changes: Any) -> list[dict[str, float]]:
    runner = Runner.from_cfg(config_of(host, data, work_dir, **changes))
    runner.train()
    return next(hook for hook in runner.hooks if isinstance(hook, KeepLosses)).losses


def test(host: str, data: Path, work_dir: Path, checkpoint: Path, **changes: Any) -> dict:
    cfg = config_of(host, data, work_dir, load_from=str(checkpoint), **changes)
    return Runner.from_cfg(cfg).test()


test.__test__ = False


def of_the_paper(host: str) -> dict[str, Any]:
    """Changes that make it the tiny model of the paper, on clips of 4 frames."""
    model = load_config(str(configs_folder() / "vis/ttsrn_tiny_shapes.py")).model
    if host == "vis":
        clips = {"train_dataloader.dataset.pipeline.0.num_frames": 4}
    else:
        model.type = "mmttsrn.MMTrackTTSRN"
        model.data_preprocessor.type = "mmtrack.TrackDataPreprocessor"
        clips = {
            "train_dataloader.dataset.ref_img_sampler.num_frames": 4,
            "train_dataloader.dataset.pipeline.1.num_key_frames": 4,
        }
    return {"model": dict(_delete_=True, **model), "train_dataloader.batch_size": 2, **clips}


@pytest.fixture
def sums_in_one_order(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """With several threads or on a GPU, trainings differ from run to run."""
    monkeypatch.setattr(mmengine.device.utils, "DEVICE", "cpu")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def released() -> Path:
    """Weights of the model that `make demo` trains."""
    [path] = (configs_folder() / "vis" / "released").glob(f"{RELEASE}_*.pth")
    return path


def test_it_is_the_real_one() -> None:
    assert mmtrack.__version__ == "1.0.0rc1"
    assert MMTRACK_MODELS.get("MaskTrackRCNN") is not None


def test_the_registries_of_mmtrack_know_the_modules() -> None:
    assert issubclass(MMTRACK_MODELS.get("MMTrackTTSRN"), BaseMultiObjectTracker)
    assert MMTRACK_MODELS.get("mmttsrn.MMTrackTTSRN") is MMTRACK_MODELS.get("MMTrackTTSRN")
    assert MMTRACK_DATASETS.get("MMTrackYouTubeVISDataset") is not None
    assert MMTRACK_METRICS.get("mmttsrn.YouTubeVISMetric") is YouTubeVISMetric
    assert MMTRACK_HOOKS.get("MMTrackVisualizationHook") is not None


@pytest.mark.parametrize("changes", [lambda host: {}, of_the_paper], ids=["demo", "paper"])
def test_losses_of_the_first_steps_are_those_under_mmdet(
    data: Path, tmp_path: Path, changes, sums_in_one_order: None
) -> None:
    losses = [train(host, data, tmp_path / host, **changes(host)) for host in HOSTS]
    assert len(losses[0]) == len(losses[1]) == STEPS
    assert losses[0][0]["loss"] != losses[0][-1]["loss"]
    for one, other in zip(*losses, strict=True):
        assert one.keys() == other.keys()
        for name, value in one.items():
            assert other[name] == pytest.approx(value, rel=1e-5, abs=1e-5), name
    files = [tmp_path / host / f"iter_{STEPS}.pth" for host in HOSTS]
    one, other = (load_checkpoint_file(file)["state_dict"] for file in files)
    assert one.keys() == other.keys()


def test_the_same_weights_have_the_same_results(released: Path, data: Path, tmp_path: Path) -> None:
    numbers, results = {}, {}
    for host in HOSTS:
        numbers[host] = test(host, data, tmp_path / host, released)
        results[host] = (tmp_path / host / "results.json").read_bytes()
    assert numbers["vis"]["youtube_vis/mAP"] > 0.3
    assert numbers["vis"] == numbers["mmtrack"]
    assert results["vis"] == results["mmtrack"]


def test_the_full_config_gives_clips_and_has_the_weights_of_the_first_host(data: Path) -> None:
    configs = [load_config(str(configs_folder() / host / "ttsrn_ytvis19.py")) for host in HOSTS]
    for cfg in configs:
        cfg.model.backbone.init_cfg = None
    states = [state_without_values(cfg) for cfg in configs]
    assert {k: v.shape for k, v in states[0].items()} == {k: v.shape for k, v in states[1].items()}
    cfg = configs[1].train_dataloader.dataset
    cfg.data_root = f"{data}/"
    sample = MMTRACK_DATASETS.build(cfg)[SeededIndex(9, 1)]
    frames = sample["inputs"]["img"]
    assert frames.shape[:2] == (36, 3)
    assert frames.dtype == torch.uint8
    truth = sample["data_samples"].gt_instances
    assert len(truth.instances_id) == len(truth.masks) == len(truth.map_instances_to_img_idx)


def test_videos_are_predicted_with_a_config_of_either_host(released: Path, data: Path) -> None:
    frames = str(next((data / "valid" / "JPEGImages").iterdir()))
    found = []
    for host in HOSTS:
        config = configs_folder() / host / f"{RELEASE}.py"
        found.append(VISInferencer(config, released, "cpu").sequences(frames))
    assert len(found[0])
    torch.testing.assert_close(found[0].scores, found[1].scores, rtol=0, atol=0)
    assert found[0].counts == found[1].counts


def test_data_set_and_pipeline_of_mmtrack(data: Path, tmp_path: Path) -> None:
    """A project on MMTracking: its converted json, data set, sampling, loader and packing."""
    for split in ("train", "valid"):
        content = json.loads((data / f"{split}.json").read_text())
        for category, name in zip(content["categories"], ("dog", "cat", "fox", "owl"), strict=True):
            category["name"] = name
        (tmp_path / "train.json").write_text(json.dumps(content))
        converter = ".mim/tools/dataset_converters/youtubevis/youtubevis2coco.py"
        convert = runpy.run_path(str(Path(mmtrack.__file__).parent / converter))["convert_vis"]
        with suppress(KeyError):  # for a category without objects, after the file is written
            convert(str(tmp_path), str(tmp_path / split), "2019", mode="train")
    load = [
        dict(type="LoadImageFromFile"),
        dict(type="LoadTrackAnnotations", with_instance_id=True, with_mask=True),
        dict(type="mmdet.Resize", scale=(96, 64), keep_ratio=True),
    ]
    flip = dict(type="mmdet.RandomFlip", prob=0.5)
    broadcast = dict(
        type="TransformBroadcaster", share_random_params=True, transforms=[*load, flip]
    )
    cfg = config_of("mmtrack", data, tmp_path / "run", **of_the_paper("mmtrack"))
    cfg.merge_from_dict({"model.head.num_classes": 40, "model.frame_results": True})
    common = dict(type="YouTubeVISDataset", dataset_version="2019")
    cfg.train_dataloader.sampler = dict(type="DefaultSampler", shuffle=True)
    cfg.train_dataloader.dataset = dict(
        ann_file=str(tmp_path / "train/youtube_vis_2019_train.json"),
        data_prefix=dict(img_path=f"{data}/train/JPEGImages"),
        pipeline=[broadcast, dict(type="PackTrackInputs", num_key_frames=1)],
        ref_img_sampler=dict(num_ref_imgs=2, frame_range=2, method="bilateral_uniform"),
        filter_cfg=dict(filter_empty_gt=True, min_size=32),
        **common,
    )
    cfg.test_dataloader.dataset = cfg.val_dataloader.dataset = dict(
        ann_file=str(tmp_path / "valid/youtube_vis_2019_train.json"),
        data_prefix=dict(img_path=f"{data}/valid/JPEGImages"),
        pipeline=[*load, dict(type="PackTrackInputs", pack_single_img=True)],
        ref_img_sampler=None,
        test_mode=True,
        **common,
    )
    cfg.val_evaluator = cfg.test_evaluator = dict(type="mmttsrn.MMTrackYouTubeVISMetric")
    cfg.train_dataloader.batch_size = 1  # fewer references at the ends of a video
    cfg.train_cfg.max_iters = cfg.train_cfg.val_interval = 3
    runner = Runner.from_cfg(cfg)
    runner.train()
    assert runner.message_hub.get_scalar("val/youtube_vis/segm_mAP").current() >= 0


def test_it_validates_twice(data: Path, tmp_path: Path) -> None:
    found = []

    @HOOKS.register_module(force=True)
    class KeepMetrics(Hook):
        def after_val_epoch(self, runner, metrics=None) -> None:
            found.append(metrics)

    cfg = config_of("mmtrack", data, tmp_path)
    cfg.merge_from_dict({"train_cfg.max_iters": 2, "train_cfg.val_interval": 1})
    cfg.custom_hooks.append(dict(type="mmttsrn.KeepMetrics"))
    Runner.from_cfg(cfg).train()
    assert len(found) == 2
    assert all("youtube_vis/mAP" in metrics for metrics in found)


def test_a_batch_that_is_no_whole_video_is_refused(data: Path, tmp_path: Path) -> None:
    cfg = config_of("mmtrack", data, tmp_path)
    del cfg.test_dataloader["batch_sampler"]
    with pytest.raises(UserInputError, match=r"got 1 from number 0.*EntireVideoBatchSampler"):
        Runner.from_cfg(cfg).test()


def test_results_of_frames_and_overlays(released: Path, data: Path, tmp_path: Path) -> None:
    changes = {
        "model.frame_results": True,
        "default_hooks.visualization.draw": True,
        "default_hooks.visualization.test_out_dir": "overlays",
        "test_dataloader.dataset.pipeline": [
            dict(type="mmttsrn.LoadVideoFrame"),
            dict(type="LoadTrackAnnotations", with_mask=True, with_instance_id=True),  # mmtrack's
            dict(type="mmdet.Resize", scale=(192, 96), keep_ratio=True),
            dict(type="PackTrackInputs", pack_single_img=True),
        ],
        "test_evaluator": [
            dict(type="mmttsrn.YouTubeVISMetric"),
            dict(type="mmttsrn.MMTrackYouTubeVISMetric", prefix="frames"),
        ],
    }
    numbers = test("mmtrack", data, tmp_path, released, **changes)
    assert numbers["frames/segm_mAP"] == pytest.approx(numbers["youtube_vis/mAP"], abs=0.02)
    assert len(list(tmp_path.glob("*/overlays/*/*.jpg"))) == 14
