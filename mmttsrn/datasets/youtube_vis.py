"""Videos annotated in the official YouTube-VIS json format, for the data set of any host."""

import hashlib
import os.path as osp
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

from mmengine.dataset import BaseDataset
from mmengine.logging import print_log
from mmengine.runner import set_random_seed
from pycocotools import mask as mask_utils

from mmttsrn.datasets.seeded_sampling import SeededIndex
from mmttsrn.datasets.transforms.copy_paste import ClipCopyPaste, Videos
from mmttsrn.errors import UserInputError, input_errors
from mmttsrn.formats.frame_folder import FrameFolder
from mmttsrn.formats.frame_headers import FrameFile, wrong_frames
from mmttsrn.formats.frames import split_video_frame
from mmttsrn.formats.ground_truth import Box, Video, read_ground_truth
from mmttsrn.formats.user_cache import cache_folder

# Names by label of a data set whose categories are one class.
MERGED_CLASSES = ("object",)
# Of the metainfo of pasted objects, what backgrounds without annotations take over.
CLASS_KEYS = ("classes", "cat_ids", "class_agnostic", "has_ground_truth")


class YouTubeVISVideos(BaseDataset):
    """Videos with instance sequences, read from an official YouTube-VIS json as published.

    A data set of a host comes after it among the base classes, and says how samples are drawn; it
    has to take ``backend_args``.

    One entry is one video: ``{video_id, video_length, images: [{img_id, img_path, file_name,
    height, width, frame_id, instances: [{bbox, bbox_label, mask, instance_id, ignore_flag}]}]}``
    with boxes as xyxy pixels and masks as compressed RLE. An instance is listed in the frames
    where it has a mask pixel. ``instance_id`` counts the annotations of the file from 1, so no
    two videos share one. Frames without instances stay, so clips have no gaps.

    ``metainfo`` of a loaded dataset has ``classes`` (names by label), ``cat_ids`` (json category
    ids by label), ``class_agnostic``, ``ann_file`` and ``has_ground_truth``; a metric finds them
    as ``dataset_meta``.

    Args:
        class_agnostic: Whether all categories of the file are one class, ``object``, label 0.
            ``cat_ids`` then holds the lowest category id of the file, which results get.
        check_images: Whether to find every frame file at load, as
            :class:`~mmttsrn.formats.frame_folder.FrameFolder` does, and to check that it is an
            image of the size of the json (local files only).
        complete: Whether every object of the classes is annotated; or a pattern, such as
            ``"coco_*"``, of the file names of the videos of which that is so. Elsewhere a
            prediction where nothing is annotated is no mistake in training.
        **kwargs: Arguments of :class:`mmengine.dataset.BaseDataset` (``ann_file``, ``data_root``,
            ``data_prefix=dict(img_path=...)``, ``pipeline``, ``test_mode``, ...).
            ``metainfo=dict(classes=...)`` chooses classes and their order; without it all
            categories of the file are used, sorted by id. ``filter_cfg=dict(filter_empty_gt=
            False)`` keeps videos without any instance in training, also if there are no others.

    Raises:
        UserInputError: The json or the frame files are not usable; one line says where and why.
    """

    def __init__(
        self,
        *args: Any,
        class_agnostic: bool = False,
        check_images: bool = True,
        complete: bool | str = True,
        **kwargs: Any,
    ) -> None:
        self.class_agnostic = class_agnostic
        self.check_images = check_images
        self.complete = complete
        super().__init__(*args, **kwargs)
        for transform in self.pipeline.transforms:
            if isinstance(transform, ClipCopyPaste) and transform.source is None:
                transform.videos = self.whole_videos()

    def whole_videos(self) -> Videos:
        """Return what gives whole videos: this data set, unless its entries are something else."""
        return self

    def __getitem__(self, index: Any) -> Any:
        """Sample of an index; a :class:`SeededIndex` seeds the random numbers of its transforms."""
        if isinstance(index, SeededIndex):
            set_random_seed(index.seed)
            index = index.value
        return super().__getitem__(index)

    def prepare_data(self, index: Any) -> Any:
        """Load the sample of an index; an exception names the file and the index."""
        with input_errors(f"{self.ann_file}: sample {index}"):
            return super().prepare_data(index)

    def use_classes(self, names: Sequence[str]) -> None:
        """Read the file again with these classes by label."""
        self._metainfo["classes"] = tuple(names)
        self._fully_initialized = False
        self.full_init()

    def count_frames(self) -> int:
        """Count the frames of all videos."""
        return sum(self.get_data_info(index)["video_length"] for index in range(len(self)))

    def load_data_list(self) -> list[dict]:
        """Read ``ann_file``; called once by ``full_init``."""
        return self.read_videos()

    def filter_data(self) -> list[dict]:
        """Drop whole videos without any instance in training; never a frame of a video."""
        return self.kept_videos(self.data_list)

    def read_videos(self) -> list[dict]:
        """Read ``ann_file`` and set ``metainfo``; one dict for each video, as said above."""
        truth = read_ground_truth(
            self.ann_file,
            need_annotations=not self.test_mode and not self._keeps_empty,
            need_frames=True,
            backend_args=self.backend_args,
        )
        self._choose_classes(truth.categories)
        self._metainfo.update(
            class_agnostic=self.class_agnostic,
            ann_file=self.ann_file,
            has_ground_truth=truth.has_sequences,
        )
        self._check_pasted_classes()
        videos, first_img_id = [], 1
        for video in truth.videos.values():
            videos.append(self._parse_video(video, first_img_id))
            first_img_id += video.length
        self._check_pattern(videos)
        if self.check_images:
            self._find_frames([image for video in videos for image in video["images"]])
        return videos

    def kept_videos(self, videos: list[dict]) -> list[dict]:
        """Leave out videos without any instance, unless in tests or by ``filter_cfg``."""
        if unknown := set(self.filter_cfg or {}) - {"filter_empty_gt"}:
            raise UserInputError(f"filter_cfg: expected filter_empty_gt, got {sorted(unknown)}")
        if self.test_mode or self._keeps_empty:
            return videos
        kept = [video for video in videos if any(image["instances"] for image in video["images"])]
        print_log(
            f"{self.ann_file}: {len(kept)} of {len(videos)} videos have annotated"
            " instances and are used for training",
            logger="current",
        )
        if not kept:
            names = ", ".join(self._metainfo["classes"])
            problem = f"no visible instance of the classes {names} to train on"
            raise UserInputError(f"{self.ann_file}: annotations: {problem}")
        return kept

    @property
    def _keeps_empty(self) -> bool:
        return not (self.filter_cfg or {}).get("filter_empty_gt", True)

    def _choose_classes(self, categories: dict[int, str]) -> None:
        """Set classes and category ids by label on this dataset, never on its class."""
        names = self._metainfo.get("classes")
        if self.class_agnostic:
            self._merge_classes(categories)
            return
        if names is None:
            ids, names = list(categories), list(categories.values())
        else:
            id_of = {name: category_id for category_id, name in categories.items()}
            if unknown := [name for name in names if name not in id_of]:
                known = f"expected categories of {self.ann_file}: {', '.join(sorted(id_of))}"
                raise UserInputError(f"metainfo.classes: {known}; got {unknown[0]!r}")
            ids = [id_of[name] for name in names]
        self._metainfo.update(classes=tuple(names), cat_ids=tuple(ids))
        self.cat_ids = ids
        self.cat2label = {category_id: label for label, category_id in enumerate(ids)}

    def _check_pasted_classes(self) -> None:
        """Compare the classes with those of pasted objects; backgrounds take these over."""
        for transform in self.pipeline.transforms:
            if isinstance(transform, ClipCopyPaste) and transform.source is not None:
                pasted = {key: transform.source.metainfo[key] for key in CLASS_KEYS}
                own = self._metainfo["classes"]
                if not self._metainfo["has_ground_truth"]:
                    self._metainfo.update(pasted)
                elif own != pasted["classes"]:
                    raise UserInputError(
                        f"ClipCopyPaste.source: expected the classes of {self.ann_file}, "
                        f"{', '.join(own)}; got {', '.join(pasted['classes'])}"
                    )

    def _merge_classes(self, categories: dict[int, str]) -> None:
        names = self._metainfo.get("classes")
        if names is not None and tuple(names) != MERGED_CLASSES:
            raise UserInputError(
                f"metainfo.classes: expected none with class_agnostic=True, got {names}"
            )
        self.cat_ids = [next(iter(categories))]
        self._metainfo.update(classes=MERGED_CLASSES, cat_ids=tuple(self.cat_ids))
        self.cat2label = dict.fromkeys(categories, 0)

    def _parse_video(self, video: Video, first_img_id: int) -> dict:
        images: list[dict[str, Any]] = [
            {
                "img_id": first_img_id + frame,
                "img_path": osp.join(self.data_prefix.get("img_path", ""), file_name),
                "file_name": file_name,
                "height": video.height,
                "width": video.width,
                "frame_id": frame,
                "complete": self._is_complete(file_name),
                "instances": [],
            }
            for frame, file_name in enumerate(video.file_names)
        ]
        for sequence in video.sequences:
            if sequence.category_id not in self.cat2label:
                continue
            for frame, counts in enumerate(sequence.counts):
                rle = counts and {"size": [video.height, video.width], "counts": counts}
                if not rle or mask_utils.area(rle) == 0:
                    continue
                images[frame]["instances"].append(
                    {
                        "bbox": _box_xyxy(sequence.boxes[frame], rle),
                        "bbox_label": self.cat2label[sequence.category_id],
                        "mask": rle,
                        "instance_id": sequence.index + 1,
                        "ignore_flag": int(sequence.is_crowd),
                    }
                )
        return {"video_id": video.id, "video_length": video.length, "images": images}

    def _is_complete(self, file_name: str) -> bool:
        if isinstance(self.complete, bool):
            return self.complete
        return fnmatchcase(file_name, self.complete)

    def _check_pattern(self, videos: list[dict]) -> None:
        complete = (image["complete"] for video in videos for image in video["images"])
        if isinstance(self.complete, str) and not any(complete):
            raise UserInputError(
                f"complete='{self.complete}': no file name in {self.ann_file} is like this"
            )

    def _find_frames(self, images: list[dict]) -> None:
        """Set the paths of frames as the disk spells them, and check what is there."""
        folder = self.data_prefix.get("img_path", "")
        if (self.backend_args or {}).get("backend", "local") != "local" or "://" in folder:
            return
        names = [image["file_name"] for image in images]
        prefix = f"data_prefix=dict(img_path='{folder}')"
        paths = FrameFolder(folder).find_all(names, self.ann_file, prefix)
        for image, path in zip(images, paths, strict=True):
            image["img_path"] = path
        files = [
            FrameFile(image["img_path"], image["height"], image["width"])
            for image in images
            if not split_video_frame(image["img_path"])
        ]
        frames = list(dict.fromkeys(files))  # a frame may be in many clips
        source = hashlib.sha256(osp.abspath(self.ann_file).encode()).hexdigest()[:16]
        if wrong := wrong_frames(frames, cache_folder() / "checked_frames" / source):
            count = f"{len(wrong)} of {len(frames)} frames of {self.ann_file} cannot be used"
            raise UserInputError(f"{wrong[0]}; {count}")


def _box_xyxy(box_xywh: Box | None, rle: dict) -> list[float]:
    """Return the annotated box, or the box of the mask where there is none or it is degenerate."""
    if not box_xywh or box_xywh[2] <= 0 or box_xywh[3] <= 0:
        box_xywh = mask_utils.toBbox(rle).tolist()
    x, y, width, height = box_xywh
    return [x, y, x + width, y + height]
