"""A video in, its instances out, frame by frame."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from functools import cached_property
from os import PathLike
from typing import Any

import cv2
import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.device import get_device
from torch import Tensor

from mmttsrn.apis.init_model import init_model
from mmttsrn.errors import UserInputError, input_errors
from mmttsrn.formats.videos import open_source
from mmttsrn.hosts.mmdet.clip_models import clip_model_of, prepare_frame
from mmttsrn.inference import VideoRun
from mmttsrn.structures import FrameResults, FrameSizes, SequenceResults
from mmttsrn.version import __version__ as mmttsrn_version

# Steps of a test pipeline that need a file or annotations.
LEFT_OUT = ("Load", "Pack")


class VISInferencer:
    """Finds the instances of videos.

    A model is loaded once and predicts any number of videos, one after the other or several at a
    time: each call is a run of its own.

    Args:
        model: What ``init_model`` takes, such as the name of a released model,
            ``hf://owner/repository`` or a config; or a model that it gave. By default that of
            ``weights``, or the released model for objects of any kind.
        weights: Path, URL or hub id of the weights; by default those of the release or of the hub.
        device: Where the model runs; ``auto`` for the accelerator that there is, or the CPU.
        window: Frames that the model sees at once; by default as many as it takes.
        overlap: Frames that neighbouring windows share.
        latency: Frames that may be read after a frame before its results come; 0 for results at
            once, which costs a window for each frame. By default ``window - 1``, the best results.
        score_thr: Instances with a lower score are left out of the frames.
        boxes_only: Compute no masks, which saves the time of the mask head.
        amp: Run the model in bfloat16.
        broken_frames: What happens to a frame that cannot be read: ``"skip"`` leaves it out and
            counts it, ``"refuse"`` ends the prediction.
        allow_unsafe: Read the weights even if that can run code from them.

    Raises:
        UserInputError: There is no such model or its weights do not fit, see ``init_model``; or no
            such device.
    """

    def __init__(
        self,
        model: str | PathLike[str] | Config | torch.nn.Module | None = None,
        weights: str | PathLike[str] | None = None,
        device: str | torch.device = "auto",
        *,
        window: int | None = None,
        overlap: int | None = None,
        latency: int | None = None,
        score_thr: float = 0.3,
        boxes_only: bool = False,
        amp: bool = False,
        broken_frames: str = "skip",
        allow_unsafe: bool = False,
    ) -> None:
        if device == "auto":
            device = get_device()
        with input_errors(f"device={str(device)!r}: give auto, cpu, or a device that PyTorch has"):
            torch.zeros(1, device=device).item()  # which the device meta cannot do
        self.model: Any
        if isinstance(model, torch.nn.Module):
            self.model = model.to(device).eval()
        else:
            self.model = init_model(model, weights, device, allow_unsafe=allow_unsafe)
        self.device = torch.device(device)
        self.clip_model = clip_model_of(self.model)
        if boxes_only and (
            "boxes" not in self.clip_model.gives or self.clip_model.post_processor.needs_masks
        ):
            raise UserInputError("boxes_only: this model gives no boxes without masks")
        self.settings: dict[str, Any] = dict(
            window=window, overlap=overlap, latency=latency, with_masks=not boxes_only
        )
        self.score_thr = score_thr
        self.amp = amp
        self.broken_frames = broken_frames
        self.resize = _frame_transforms(self.model.cfg)
        self.classes = class_names(self.model)

    def __call__(self, source: Any) -> Iterator[FrameResults]:
        """Predict a video.

        Args:
            source: See :func:`~mmttsrn.formats.videos.open_source`.

        Yields:
            What is seen in each frame, in order, as soon as it is final. Scores and classes are
            those of the sequences up to then.

        Raises:
            UserInputError: The source cannot be opened, or a frame not be used.
        """
        run = self.run(source)
        for part, images in run:
            yield from run.frame_results(part, images, self.score_thr)

    def sequences(self, source: Any) -> SequenceResults:
        """Predict a whole video: as a call does, with final scores and classes.

        ``to_ytvis`` of the sequences gives them in the format of YouTube-VIS.
        """
        return self.run(source).sequences()

    def run(self, source: Any, state: dict[str, Any] | None = None) -> VideoRun:
        """Begin to predict a video, or go on from the state of an earlier run of the same video.

        Runs do not know of each other: several videos may be predicted in turn or in threads.
        """
        video = open_source(source, self.broken_frames)
        return VideoRun(
            clip_model_of(self.model),
            video,
            self._prepare,
            name=video.name,
            classes=self.classes,
            state=state,
            autocast=self._autocast,
            **self.settings,
        )

    def _prepare(self, image: np.ndarray) -> tuple[Tensor, FrameSizes]:
        """Frame (3, H, W) as the model sees it, from RGB (h, w, 3), and its sizes."""
        bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
        shape = image.shape[:2]
        with input_errors(f"frame of {shape[1]}x{shape[0]} pixels: the test pipeline resizes it"):
            resized = self.resize(dict(img=bgr, img_shape=shape, ori_shape=shape))["img"]
        pixels = torch.from_numpy(np.ascontiguousarray(resized.transpose(2, 0, 1)))
        frame = prepare_frame(self.model, pixels)
        padded = (frame.shape[-2], frame.shape[-1])
        return frame, FrameSizes(padded, resized.shape[:2], shape)

    @cached_property
    def job(self) -> str:
        """What a result depends on besides the video: model, weights, settings and versions.

        An inferencer can go on where another one with the same text ended. Empty for a model that
        remembers the video itself, with which none can.
        """
        if self.clip_model.has_memory:
            return ""
        digest = hashlib.sha256()
        for name, value in self.model.state_dict().items():
            digest.update(name.encode())
            digest.update(value.detach().cpu().reshape(-1).view(torch.uint8).numpy())
        pipeline = self.model.cfg.test_dataloader.dataset.pipeline
        return json.dumps(
            dict(
                weights=digest.hexdigest(),
                model=self.model.cfg.model,
                pipeline=pipeline,
                settings=self.settings,
                precision="bfloat16" if self.amp else "float32",
                device=str(self.device),
                versions=[mmttsrn_version, torch.__version__],
            ),
            sort_keys=True,
            default=str,
        )

    def _autocast(self) -> Any:
        return torch.autocast(self.device.type, torch.bfloat16) if self.amp else nullcontext()


def class_names(model: Any) -> Sequence[str]:
    """Names of the classes of a model: those of its checkpoint, or numbers."""
    names = getattr(model, "dataset_meta", {}).get("classes")
    if names:
        return list(names)
    detector = getattr(model, "detector", None)
    owner = model.head if detector is None and hasattr(model, "head") else model
    count = detector.roi_head.bbox_head.num_classes if detector else owner.num_classes
    return [f"class {number}" for number in range(count)]


@input_errors("test_dataloader.dataset.pipeline")
def _frame_transforms(cfg: Config) -> Compose:
    """Build the test pipeline of single frames: all but reading and packing."""
    pipeline = cfg.test_dataloader.dataset.pipeline
    steps = [inner for step in pipeline for inner in step.get("transforms", [step])]
    return Compose([step for step in steps if not any(word in step["type"] for word in LEFT_OUT)])
