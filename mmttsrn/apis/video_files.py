"""Videos in, files out: overlay, json, csv and pictures of ids."""

import signal
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

import numpy as np

from mmttsrn.apis.vis_inferencer import VISInferencer
from mmttsrn.errors import UserInputError
from mmttsrn.inference.frame_sources import DEFAULT_FPS, FrameSource, open_source
from mmttsrn.inference.result_files import (
    VideoResults,
    write_csv,
    write_html,
    write_json,
    write_overlay,
    write_pngs,
)
from mmttsrn.inference.result_store import ResultStore
from mmttsrn.structures import FrameResults, SequenceScores
from mmttsrn.visualization.overlay import FrameInstances, draw_instances
from mmttsrn.visualization.video_io import Mp4Writer, add_audio

VIDEO_SUFFIXES = (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm", ".wmv")
SAVE_SECONDS = 30.0
SUFFIXES = {"mp4": ".mp4", "html": ".html", "json": ".json", "csv": ".csv", "png": ""}


@dataclass(frozen=True)
class Summary:
    """What became of a video.

    Attributes:
        num_frames: Frames that were predicted.
        unreadable: Frames that could not be read and were skipped.
        num_instances: Instances that were written.
        written: Files and folders.
    """

    num_frames: int
    unreadable: int
    num_instances: int
    written: list[Path]


def list_videos(inputs: Sequence[str]) -> list[str]:
    """Videos that a command line names.

    Args:
        inputs: Sources as of :func:`~mmttsrn.inference.frame_sources.open_source`; folders of video
            files, which are searched through; text files (``.txt``) with a source on each line.

    Raises:
        UserInputError: A folder has neither videos nor images, or a text file no line.
    """
    videos: list[str] = []
    for text in inputs:
        path = Path(text)
        if path.suffix == ".txt" and path.is_file():
            try:
                lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
            except UnicodeDecodeError as error:
                raise UserInputError(
                    f"{path}: is no text; expected one path on each line, in UTF-8"
                ) from error
            named = [line for line in lines if line and not line.startswith("#")]
            if not named:
                raise UserInputError(f"{path}: names no video; expected one path on each line")
            videos += named
        elif path.is_dir():
            found = sorted(p for p in path.rglob("*") if p.suffix.lower() in VIDEO_SUFFIXES)
            videos += [str(p) for p in found] or [text]
        else:
            videos.append(text)
    return videos


def result_stems(videos: Sequence[str]) -> list[str]:
    """Name of the results of each video: its own, with its folder where several have one name."""
    stems = [Path(video).stem or "video" for video in videos]
    stems = ["".join(c if c.isalnum() or c in "-_. " else "_" for c in stem) for stem in stems]
    count = Counter(stems)
    for index, video in enumerate(videos):
        if count[stems[index]] > 1:
            stems[index] = f"{Path(video).parent.name}_{stems[index]}"
    for stem, times in Counter(stems).items():
        if times > 1:
            same = [video for video, other in zip(videos, stems, strict=True) if other == stem]
            raise UserInputError(
                f"inputs: results of {' and '.join(same)} would have the same name; run the "
                "command for each of them, with an --out of its own"
            )
    return stems


def result_paths(stem: Path, kinds: Sequence[str]) -> dict[str, Path]:
    """Where each kind of result goes, of ``SUFFIXES``."""
    return {kind: stem.with_name(stem.name + SUFFIXES[kind]) for kind in kinds}


def predict_to_files(
    inferencer: VISInferencer,
    source: str | int | FrameSource,
    paths: dict[str, Path],
    class_ids: Sequence[int] | None = None,
    on_frame: Callable[[FrameResults, FrameSource], None] | None = None,
    resume: bool = False,
) -> Summary:
    """Predict a video and write its results, each file whole or not at all.

    What is known so far is kept beside the results every ``SAVE_SECONDS``, for a file or folder
    and a model that does not remember the video itself, and removed when they are written.

    The overlay of a file or folder is drawn when all is known, from a second reading; that of a
    camera or stream while it plays, with what is known then. Ctrl-C ends a camera or stream, whose
    results are then written. A page (html) needs a second reading.

    Args:
        inferencer: Predicts the frames.
        source: The video.
        paths: From :func:`result_paths`.
        class_ids: Classes that are written; all by default.
        on_frame: Called with each frame and its results as soon as they are final.
        resume: Go on where an earlier call ended before its time, if it was for the same file,
            model and settings.

    Raises:
        UserInputError: The source cannot be opened, a frame not be used, or a page is asked for
            of a camera or stream.
    """
    video = open_source(source)
    if video.is_live and "html" in paths:
        raise UserInputError(f"{video.name}: a page needs a video file or folder, no live source")
    anchor = next(iter(paths.values()))
    fps = video.fps or DEFAULT_FPS
    draws_live = video.is_live and "mp4" in paths
    with ExitStack() as stack:
        name = f".{anchor.name}.results.partial"
        job = f"{video.identity} {inferencer.job}" if video.identity and inferencer.job else ""
        store = stack.enter_context(ResultStore(anchor.with_name(name), job, resume and bool(job)))
        writer = stack.enter_context(Mp4Writer(paths["mp4"], fps) if draws_live else nullcontext())
        stack.enter_context(_ended_by_ctrl_c(video))
        for results in _stored(inferencer, video, store):
            if writer is not None:
                writer.write(draw_instances(results.image, instances_to_draw(results, class_ids)))
            if on_frame is not None:
                on_frame(results, video)
        assert inferencer.predictor is not None
        final = VideoResults(
            video.name,
            inferencer.predictor.sizes.original,
            video.fps,
            inferencer.classes,
            store,
            _wanted(inferencer, class_ids),
        )
        if "mp4" in paths and not video.is_live:
            write_overlay(final, open_source(source), paths["mp4"], fps)
            if Path(str(source)).is_file():
                add_audio(paths["mp4"], Path(str(source)))
        if "html" in paths:
            write_html(final, open_source(source), paths["html"], fps)
        for kind, write in (("json", write_json), ("csv", write_csv), ("png", write_pngs)):
            if kind in paths:
                write(final, paths[kind])
        num_frames = store.num_frames
    return Summary(num_frames, video.unreadable, len(final.sequences.ids), list(paths.values()))


def _stored(
    inferencer: VISInferencer, video: FrameSource, store: ResultStore
) -> Iterator[FrameResults]:
    """Results of each frame, which are stored on the way."""
    images: deque[np.ndarray] = deque()
    start = last_save = time.monotonic()
    for part in inferencer.parts(video, images, store.state):
        first = store.num_frames
        store.add(part)
        yield from inferencer.frames_of(part, images, first)
        if store.job and time.monotonic() - last_save >= SAVE_SECONDS:
            _save(inferencer, store)
            last_save = time.monotonic()
    # Files are still to be written, which can take long, too.
    if store.job and time.monotonic() - start >= SAVE_SECONDS:
        _save(inferencer, store)


def _save(inferencer: VISInferencer, store: ResultStore) -> None:
    assert inferencer.predictor is not None
    store.save(inferencer.predictor.state.state_dict())


@contextmanager
def _ended_by_ctrl_c(video: FrameSource) -> Iterator[None]:
    """Let Ctrl-C end a camera or stream with its next frame; a second one interrupts as ever."""
    if not video.is_live or threading.current_thread() is not threading.main_thread():
        yield
        return
    stopped = threading.Event()

    def stop(*_: object) -> None:
        if stopped.is_set():
            raise KeyboardInterrupt
        stopped.set()

    video.reader = takewhile(lambda _: not stopped.is_set(), video.reader)
    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _wanted(inferencer: VISInferencer, class_ids: Sequence[int] | None) -> SequenceScores:
    """Sequences that are written."""
    assert inferencer.predictor is not None
    ids, scores, labels = inferencer.predictor.scores()
    keep = scores >= inferencer.score_thr
    if class_ids is not None:
        keep &= (labels[:, None] == labels.new_tensor(class_ids)).any(1)
    return SequenceScores(ids[keep], scores[keep], labels[keep])


def instances_to_draw(
    results: FrameResults, class_ids: Sequence[int] | None = None
) -> FrameInstances:
    """Instances of a frame as they are drawn; only some classes if given."""
    rows = [
        row
        for row, label in enumerate(results.labels.tolist())
        if class_ids is None or label in class_ids
    ]
    return FrameInstances(
        ids=[int(results.instance_ids[row]) + 1 for row in rows],
        names=[results.names[row] for row in rows],
        masks=None if results.masks is None else results.masks[rows],
        boxes=results.boxes.numpy()[rows],
        scores=results.scores[rows].tolist(),
    )
