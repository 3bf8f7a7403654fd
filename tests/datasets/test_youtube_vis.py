import copy
import json
import shutil
import unicodedata
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmdet.datasets.samplers import TrackImgSampler
from pycocotools import mask as mask_utils

from mmttsrn.datasets.transforms import LoadVideoFrame
from mmttsrn.errors import UserInputError
from mmttsrn.hosts.mmdet import YouTubeVISDataset

Build = Callable[..., YouTubeVISDataset]


def instances_of(dataset: YouTubeVISDataset) -> list[tuple]:
    """(video index, frame index, instance) of the whole dataset."""
    return [
        (index, frame, instance)
        for index in range(len(dataset))
        for frame, image in enumerate(dataset.get_data_info(index)["images"])
        for instance in image["instances"]
    ]


def test_entries_carry_what_the_json_says(build_dataset: Build, shapes_json: dict) -> None:
    dataset = build_dataset(shapes_json)
    assert len(dataset) == 4
    assert dataset.metainfo["classes"] == ("disc", "square", "triangle", "star")
    assert dataset.metainfo["cat_ids"] == (1, 2, 3, 4)
    assert dataset.metainfo["has_ground_truth"] is True
    assert Path(dataset.metainfo["ann_file"]).name == "annotations.json"
    first = dataset.get_data_info(0)
    video = shapes_json["videos"][0]
    assert (first["video_id"], first["video_length"]) == (video["id"], 5)
    assert [image["file_name"] for image in first["images"]] == video["file_names"]
    assert all(Path(image["img_path"]).is_file() for image in first["images"])
    assert [image["frame_id"] for image in first["images"]] == list(range(5))
    img_ids = [image["img_id"] for i in range(4) for image in dataset.get_data_info(i)["images"]]
    assert len(set(img_ids)) == 20


def test_masks_and_boxes_are_those_of_the_json(build_dataset: Build, shapes_json: dict) -> None:
    dataset = build_dataset(shapes_json)
    for index, frame, instance in instances_of(dataset):
        annotation = shapes_json["annotations"][instance["instance_id"] - 1]
        assert annotation["video_id"] == shapes_json["videos"][index]["id"]
        assert instance["bbox_label"] == annotation["category_id"] - 1
        mask = mask_utils.decode(instance["mask"])
        assert mask.sum() == annotation["areas"][frame]
        rows, columns = np.nonzero(mask)
        box = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        assert instance["bbox"] == box
    visible = sum(area is not None for a in shapes_json["annotations"] for area in a["areas"])
    assert len(instances_of(dataset)) == visible


def test_every_form_of_segmentation_and_missing_boxes(
    build_dataset: Build, shapes_json: dict
) -> None:
    plain = build_dataset(shapes_json)
    for annotation in shapes_json["annotations"]:
        for frame, rle in enumerate(annotation["segmentations"]):
            if rle and frame % 2:
                compressed = mask_utils.frPyObjects(rle, *rle["size"])
                rle["counts"] = compressed["counts"].decode()
        del annotation["bboxes"], annotation["areas"], annotation["iscrowd"], annotation["id"]
    assert instances_of(build_dataset(shapes_json)) == instances_of(plain)


def test_polygon_instances(build_dataset: Build, shapes_json: dict) -> None:
    annotation = shapes_json["annotations"][0]
    square = [10, 5, 20, 5, 20, 15, 10, 15]
    annotation.update(segmentations=[[square], None, [], [square], None], bboxes=[None] * 5)
    dataset = build_dataset(shapes_json)
    images = dataset.get_data_info(0)["images"]
    assert [len(image["instances"]) for image in images] == [1, 0, 0, 1, 0]
    assert images[0]["instances"][0]["bbox"] == [10, 5, 20, 15]


def test_instance_ids_are_unique_and_never_zero(build_dataset: Build, shapes_json: dict) -> None:
    for annotation in shapes_json["annotations"]:
        annotation["id"] = 0
    dataset = build_dataset(shapes_json)
    videos_of: dict[int, set[int]] = {}
    for index, _, instance in instances_of(dataset):
        videos_of.setdefault(instance["instance_id"], set()).add(index)
    assert min(videos_of) == 1
    assert len(videos_of) == len(shapes_json["annotations"])
    assert all(len(videos) == 1 for videos in videos_of.values())


def test_all_zero_masks_are_absent_and_crowds_are_flagged(
    build_dataset: Build, shapes_json: dict
) -> None:
    annotation = shapes_json["annotations"][0]
    annotation["segmentations"][2] = {"size": [48, 64], "counts": [48 * 64]}
    annotation["iscrowd"] = 1
    images = build_dataset(shapes_json).get_data_info(0)["images"]
    assert images[2]["instances"] == []
    assert images[0]["instances"][0]["ignore_flag"] == 1


def test_classes_can_be_chosen_without_touching_the_class(
    build_dataset: Build, shapes_json: dict
) -> None:
    dataset = build_dataset(shapes_json, metainfo={"classes": ["star", "disc"]})
    assert dataset.metainfo["classes"] == ("star", "disc")
    assert dataset.metainfo["cat_ids"] == (4, 1)
    for _, _, instance in instances_of(dataset):
        category = shapes_json["annotations"][instance["instance_id"] - 1]["category_id"]
        assert (4, 1)[instance["bbox_label"]] == category
    assert build_dataset(shapes_json).metainfo["classes"][0] == "disc"
    assert "classes" not in YouTubeVISDataset.METAINFO


def test_all_categories_can_be_one_class(build_dataset: Build, shapes_json: dict) -> None:
    for category in shapes_json["categories"]:
        category["id"] += 4
    for annotation in shapes_json["annotations"]:
        annotation["category_id"] += 4
    plain = build_dataset(shapes_json)
    expected = [(i, t, one | {"bbox_label": 0}) for i, t, one in instances_of(plain)]
    for metainfo in (None, {"classes": ["object"]}):
        dataset = build_dataset(shapes_json, class_agnostic=True, metainfo=metainfo)
        assert dataset.metainfo["classes"] == ("object",)
        assert dataset.metainfo["cat_ids"] == (5,)
        assert dataset.metainfo["class_agnostic"] is True
        assert instances_of(dataset) == expected
    assert plain.metainfo["class_agnostic"] is False


def test_videos_may_be_annotated_completely_or_not(build_dataset: Build, shapes_json: dict) -> None:
    folder = Path(shapes_json["videos"][1]["file_names"][0]).parent
    for complete, expected in {
        True: [True] * 4,
        False: [False] * 4,
        f"{folder}/*": [False, True, False, False],
    }.items():
        dataset = build_dataset(shapes_json, complete=complete)
        images = [dataset.get_data_info(i)["images"] for i in range(4)]
        assert [all(image["complete"] for image in video) for video in images] == expected
        assert [any(image["complete"] for image in video) for video in images] == expected


def test_a_pattern_that_no_video_fits_is_refused(build_dataset: Build, shapes_json: dict) -> None:
    with pytest.raises(UserInputError, match=r"complete='coco_.': no file name in") as error:
        build_dataset(shapes_json, complete="coco_*")
    assert "\n" not in str(error.value)


def test_one_class_has_no_other_names(build_dataset: Build, shapes_json: dict) -> None:
    with pytest.raises(UserInputError, match=r"metainfo\.classes: expected none with cla"):
        build_dataset(shapes_json, class_agnostic=True, metainfo={"classes": ["disc"]})


def test_categories_are_sorted_by_id(build_dataset: Build, shapes_json: dict) -> None:
    shapes_json["categories"].reverse()
    assert build_dataset(shapes_json).metainfo["cat_ids"] == (1, 2, 3, 4)


def test_videos_without_instances_are_dropped_in_training_only(
    build_dataset: Build, shapes_json: dict
) -> None:
    first = shapes_json["videos"][0]["id"]
    shapes_json["annotations"] = [a for a in shapes_json["annotations"] if a["video_id"] != first]
    assert len(build_dataset(shapes_json)) == 3
    assert len(build_dataset(shapes_json, test_mode=True)) == 4
    assert len(build_dataset(shapes_json, filter_cfg={"filter_empty_gt": False})) == 4


def test_frames_without_instances_stay(build_dataset: Build, shapes_json: dict) -> None:
    for annotation in shapes_json["annotations"]:
        annotation["segmentations"][2] = None
    dataset = build_dataset(shapes_json)
    for index in range(len(dataset)):
        images = dataset.get_data_info(index)["images"]
        assert [image["frame_id"] for image in images] == list(range(5))
        assert images[2]["instances"] == []


@pytest.mark.parametrize("annotations", ["missing", None, []])
def test_split_without_ground_truth(
    build_dataset: Build, shapes_json: dict, annotations: object
) -> None:
    if annotations == "missing":
        del shapes_json["annotations"]
    else:
        shapes_json["annotations"] = annotations
    dataset = build_dataset(shapes_json, test_mode=True)
    assert dataset.metainfo["has_ground_truth"] is False
    assert len(dataset) == 4
    with pytest.raises(UserInputError, match="annotations: expected segmentations"):
        build_dataset(shapes_json)


def test_annotations_without_segmentations_are_no_ground_truth(
    build_dataset: Build, shapes_json: dict
) -> None:
    for annotation in shapes_json["annotations"]:
        del annotation["segmentations"]
    dataset = build_dataset(shapes_json, test_mode=True)
    assert dataset.metainfo["has_ground_truth"] is False


def test_samples_of_training_and_test(build_dataset: Build, shapes_json: dict) -> None:
    train = build_dataset(shapes_json)
    assert train[(2, 3)]["key_frame_id"] == 3
    assert "key_frame_id" not in train[2]
    test = build_dataset(shapes_json, test_mode=True)
    sample = test[1]
    assert sample["frame_id"] == list(range(5))
    assert sample["video_length"] == sample["ori_video_length"] == [5] * 5


def test_an_epoch_of_the_image_sampler_visits_every_frame(
    build_dataset: Build, shapes_json: dict
) -> None:
    dataset = build_dataset(shapes_json)
    indices = list(TrackImgSampler(dataset, seed=0))
    assert sorted(indices) == [(video, frame) for video in range(4) for frame in range(5)]


def test_no_visible_instance_is_an_empty_train_set(build_dataset: Build, shapes_json: dict) -> None:
    for annotation in shapes_json["annotations"]:
        annotation["segmentations"] = [None] * 5
    with pytest.raises(UserInputError, match="annotations: no visible instance of"):
        build_dataset(shapes_json)


def test_unknown_class_and_unknown_filter(build_dataset: Build, shapes_json: dict) -> None:
    with pytest.raises(UserInputError, match=r"metainfo\.classes: expected .* got 'cat'"):
        build_dataset(shapes_json, metainfo={"classes": ["cat"]})
    with pytest.raises(UserInputError, match=r"metainfo\.classes: expected .* got 'd'"):
        build_dataset(shapes_json, metainfo={"classes": "disc"})
    with pytest.raises(UserInputError, match="filter_cfg: expected filter_empty_gt, got"):
        build_dataset(shapes_json, filter_cfg={"min_size": 32})


@pytest.fixture
def copy_of_shapes(shapes_dir: Path, tmp_path: Path) -> dict:
    """Settings of a data set whose frames a test may damage."""
    root = shutil.copytree(shapes_dir, tmp_path / "copy")
    prefix = {"img_path": "train/JPEGImages"}
    return {"ann_file": "train.json", "data_root": str(root), "data_prefix": prefix}


def test_missing_images_are_counted(copy_of_shapes: dict) -> None:
    root = Path(copy_of_shapes["data_root"])
    (root / "train/JPEGImages/clip_001/00003.jpg").unlink()
    shutil.rmtree(root / "train/JPEGImages/clip_002")
    with pytest.raises(UserInputError) as caught:
        YouTubeVISDataset(**copy_of_shapes)
    line = str(caught.value)
    assert line.startswith(f"{root}/train/JPEGImages/clip_001/00003.jpg: image not found")
    assert "6 of 20 frames" in line
    assert "data_prefix=dict(img_path=" in line
    assert len(YouTubeVISDataset(**copy_of_shapes, check_images=False)) == 4


@pytest.mark.parametrize("form", ["backslashes", "NFD"])
def test_frames_are_found_as_the_disk_spells_them(
    shapes_dir: Path, shapes_json: dict, tmp_path: Path, form: str
) -> None:
    images = tmp_path / "JPEGImages"
    shutil.copytree(shapes_dir / "train/JPEGImages", images)
    for video in shapes_json["videos"]:
        names = video["file_names"]
        if form == "backslashes":
            video["file_names"] = [name.replace("/", "\\") for name in names]
        else:
            video["file_names"] = [unicodedata.normalize("NFC", f"é{name}") for name in names]
            folder = images / Path(names[0]).parent
            folder.rename(images / unicodedata.normalize("NFD", f"é{folder.name}"))
    (tmp_path / "train.json").write_text(json.dumps(shapes_json))
    dataset = YouTubeVISDataset(
        ann_file="train.json", data_root=str(tmp_path), data_prefix={"img_path": "JPEGImages"}
    )
    for index, video in enumerate(shapes_json["videos"]):
        frames = dataset.get_data_info(index)["images"]
        assert [frame["file_name"] for frame in frames] == video["file_names"]
        assert LoadVideoFrame()(dict(frames[0]))["img"].shape == (48, 64, 3)


def test_wrong_frames_are_counted(copy_of_shapes: dict) -> None:
    root = Path(copy_of_shapes["data_root"])
    frames = root / "train/JPEGImages"
    cv2.imwrite(str(frames / "clip_001/00003.jpg"), np.zeros((24, 32, 3), np.uint8))
    (frames / "clip_002/00004.jpg").write_bytes(b"text")
    with pytest.raises(UserInputError) as caught:
        YouTubeVISDataset(**copy_of_shapes)
    size = "expected the height and width (48, 64) of its annotation file, got (24, 32)"
    count = f"2 of 20 frames of {root}/train.json cannot be used"
    assert str(caught.value) == f"{frames}/clip_001/00003.jpg: {size}; {count}"
    assert len(YouTubeVISDataset(**copy_of_shapes, check_images=False)) == 4


def test_frames_of_video_files(shapes_dir: Path, shapes_json: dict, tmp_path: Path) -> None:
    """As tools/inference.py names them."""
    for video in shapes_json["videos"]:
        path = tmp_path / f"{video['id']}.mp4"
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 5.0, (64, 48))
        for name in video["file_names"]:
            writer.write(cv2.imread(str(shapes_dir / "train/JPEGImages" / name)))
        writer.release()
        video["file_names"] = [f"{path.name}/{frame:05d}" for frame in range(5)]
    (tmp_path / "train.json").write_text(json.dumps(shapes_json))
    dataset = YouTubeVISDataset(
        ann_file="train.json", data_root=str(tmp_path), data_prefix={"img_path": ""}
    )
    capture = cv2.VideoCapture(str(tmp_path / "2.mp4"))
    images = dataset.get_data_info(1)["images"]
    for image in images:
        assert np.array_equal(LoadVideoFrame()(dict(image))["img"], capture.read()[1])
    (tmp_path / "2.mp4").unlink()
    with pytest.raises(UserInputError, match=r"2\.mp4/00000: image not found \(5 of 20 frames"):
        YouTubeVISDataset(
            ann_file="train.json", data_root=str(tmp_path), data_prefix={"img_path": ""}
        )


def test_json_is_not_changed_on_disk_and_reads_twice(
    build_dataset: Build, shapes_json: dict
) -> None:
    before = copy.deepcopy(shapes_json)
    first = build_dataset(shapes_json)
    assert json.loads(Path(first.ann_file).read_text()) == before
    assert instances_of(build_dataset(shapes_json)) == instances_of(first)


@pytest.mark.parametrize("name", ["realvis/instances.json", "copypaste/val.json"])
def test_real_video_annotations(name: str) -> None:
    root = Path(__file__).resolve().parents[2] / ".." / "shared/data"
    if not root.is_dir():
        pytest.skip("needs real annotated videos in ../shared/data, which do not ship")
    ann_file = root / name
    dataset = YouTubeVISDataset(
        ann_file=str(ann_file), data_prefix={"img_path": str(ann_file.parent / "JPEGImages")}
    )
    content = json.loads(ann_file.read_text())
    for _, frame, instance in instances_of(dataset):
        area = content["annotations"][instance["instance_id"] - 1]["areas"][frame]
        assert mask_utils.area(instance["mask"]) == area
