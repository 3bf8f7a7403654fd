"""Data set of YouTube-VIS json files, frame by frame for MMTracking."""

import json
import runpy
from pathlib import Path
from typing import Any

import host_mmtrack  # noqa: F401
import mmtrack
import pytest
from mmengine.dataset import pseudo_collate
from mmtrack.datasets.samplers import EntireVideoBatchSampler, VideoSampler

from mmttsrn.datasets.seeded_sampling import SeededIndex
from mmttsrn.datasets.synthetic import write_moving_shapes
from mmttsrn.errors import UserInputError
from mmttsrn.hosts.mmtrack import MMTrackYouTubeVISDataset

FRAMES = 6
LOAD = [
    dict(type="mmttsrn.LoadVideoFrame"),
    dict(type="mmdet.LoadTrackAnnotations", with_mask=True),
]


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_moving_shapes(folder, 3, 2, FRAMES, (64, 96), 2)
    return folder


def build(data: Path, split: str = "train", **kwargs: Any) -> MMTrackYouTubeVISDataset:
    return MMTrackYouTubeVISDataset(
        data_root=f"{data}/",
        ann_file=f"{split}.json",
        data_prefix=dict(img_path=f"{split}/JPEGImages"),
        test_mode=split == "valid",
        **kwargs,
    )


def clip_pipeline(num_frames: int) -> list[dict]:
    return [
        dict(type="mmttsrn.ClipBroadcaster", transforms=LOAD),
        dict(type="mmttsrn.MMTrackPackInputs", num_key_frames=num_frames),
    ]


def test_one_entry_is_one_frame(data: Path) -> None:
    dataset = build(data)
    assert len(dataset) == dataset.count_frames() == 3 * FRAMES
    entry = dataset.get_data_info(FRAMES + 2)
    assert (entry["video_id"], entry["frame_id"], entry["video_length"]) == (2, 2, FRAMES)
    assert entry["instances"]
    assert dataset.metainfo["CLASSES"] == dataset.metainfo["classes"]


def test_clips_around_a_key_frame_in_order(data: Path) -> None:
    dataset = build(data, ref_img_sampler=dict(num_frames=4), pipeline=clip_pipeline(4))
    for index in range(len(dataset)):
        sample = dataset[SeededIndex(index, 3)]["data_samples"]
        key = index % FRAMES
        assert sample.frame_id == list(range(sample.frame_id[0], sample.frame_id[0] + 4))
        assert key in sample.frame_id
        assert set(sample.video_id) == {index // FRAMES + 1}


def test_the_same_seed_gives_the_same_clip(data: Path) -> None:
    dataset = build(data, ref_img_sampler=dict(num_frames=2), pipeline=clip_pipeline(2))
    clips = [dataset[SeededIndex(3, seed)]["data_samples"].frame_id for seed in (1, 1, 2, 3, 4, 5)]
    assert clips[0] == clips[1]
    assert len({tuple(clip) for clip in clips}) > 1


def test_sampling_of_mmtrack(data: Path) -> None:
    sampler = dict(num_ref_imgs=2, frame_range=3, filter_key_img=True, method="uniform")
    dataset = build(data, ref_img_sampler=sampler, pipeline=clip_pipeline(1))
    sample = dataset[2]
    assert sample["inputs"]["ref_img"].shape == (2, 3, 64, 96)
    assert sample["data_samples"].frame_id == 2
    assert len(sample["data_samples"].ref_frame_id) == 2


def test_samplers_of_mmtrack_give_whole_videos(data: Path) -> None:
    pipeline = [LOAD[0], dict(type="mmtrack.PackTrackInputs", pack_single_img=True)]
    dataset = build(data, "valid", pipeline=pipeline)
    batches = list(EntireVideoBatchSampler(VideoSampler(dataset)))
    assert batches == [list(range(FRAMES)), list(range(FRAMES, 2 * FRAMES))]
    batch = pseudo_collate([dataset[index] for index in batches[1]])
    assert [sample.frame_id for sample in batch["data_samples"]] == list(range(FRAMES))
    assert batch["inputs"]["img"][0].shape == (1, 3, 64, 96)


def test_a_category_without_objects(data: Path, tmp_path: Path) -> None:
    content = json.loads((data / "train.json").read_text())
    content["categories"].append({"id": 99, "name": "unicorn"})
    (tmp_path / "train.json").write_text(json.dumps(content))
    dataset = MMTrackYouTubeVISDataset(
        ann_file=str(tmp_path / "train.json"),
        data_prefix=dict(img_path=str(data / "train/JPEGImages")),
    )
    assert dataset.metainfo["classes"][-1] == "unicorn"
    assert len(dataset) == 3 * FRAMES
    converter = ".mim/tools/dataset_converters/youtubevis/youtubevis2coco.py"
    tool = runpy.run_path(str(Path(mmtrack.__file__).parent / converter))
    with pytest.raises(KeyError):
        tool["convert_vis"](str(tmp_path), str(tmp_path), "2019", mode="train")


def test_ids_stay_with_their_instances_when_a_crop_removes_some(data: Path) -> None:
    crop = dict(type="mmdet.RandomCrop", crop_size=(24, 24), allow_negative_crop=True)
    loaders = {
        "mmdet.LoadTrackAnnotations": dict(with_mask=True),
        "mmtrack.LoadTrackAnnotations": dict(with_mask=True, with_instance_id=True),
    }
    crops = {}
    for loader, arguments in loaders.items():
        frames = [LOAD[0], dict(type=loader, **arguments), crop]
        pack = dict(type="mmttsrn.MMTrackPackInputs", num_key_frames=2)
        pipeline = [dict(type="mmttsrn.ClipBroadcaster", transforms=frames), pack]
        crops[loader] = build(data, ref_img_sampler=dict(num_frames=2), pipeline=pipeline)
    removed = 0
    for index in range(FRAMES, 2 * FRAMES):  # two objects
        truth = crops["mmdet.LoadTrackAnnotations"][SeededIndex(index, index)]
        truth = truth["data_samples"].gt_instances
        assert len(truth.instances_id) == len(truth.bboxes) == len(truth.masks)
        removed += len(truth.bboxes) < 4
    assert removed
    samples = map(crops["mmtrack.LoadTrackAnnotations"].prepare_data, range(FRAMES, 2 * FRAMES))
    with pytest.raises(UserInputError, match="IndexError"):
        list(samples)


def test_objects_of_other_videos_are_pasted(data: Path) -> None:
    pipeline = clip_pipeline(2)
    pipeline.insert(1, dict(type="mmttsrn.ClipCopyPaste", max_objects=3))
    dataset = build(data, ref_img_sampler=dict(num_frames=2), pipeline=pipeline)
    plain = build(data, ref_img_sampler=dict(num_frames=2), pipeline=clip_pipeline(2))
    more = 0
    for index in range(FRAMES):
        counts = [
            len(one[SeededIndex(index, index)]["data_samples"].gt_instances.labels)
            for one in (dataset, plain)
        ]
        more += counts[0] > counts[1]
    assert more
    whole = dataset.whole_videos()
    assert len(whole) == 3
    assert [image["frame_id"] for image in whole.get_data_info(1)["images"]] == list(range(FRAMES))


def test_images_as_videos_are_refused(data: Path) -> None:
    with pytest.raises(UserInputError, match=r"load_as_video"):
        build(data, load_as_video=False)
