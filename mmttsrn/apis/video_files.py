"""Videos in, files out: overlay, json, csv and pictures of ids."""

import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

import numpy as np
from mmengine.logging import print_log

from mmttsrn.apis.vis_inferencer import VISInferencer
from mmttsrn.errors import UserInputError, describe
from mmttsrn.formats.output_files import short_name
from mmttsrn.formats.videos import DEFAULT_FPS, FrameSource, open_source
from mmttsrn.inference import VideoRun
from mmttsrn.inference.result_files import (
    OverlayWriter,
    VideoResults,
    write_csv,
    write_json,
    write_pngs,
)
from mmttsrn.inference.result_store import ResultStore
from mmttsrn.structures import FrameResults, SequenceScores
from mmttsrn.visualization.html_report import HtmlReport

SAVE_SECONDS = 30.0
SUFFIXES = {"mp4": ".mp4", "html": ".html", "json": ".json", "csv": ".csv", "png": ""}


@dataclass(frozen=True)
class Summary:
    """What became of a video."""

    num_frames: int
    unreadable: int  # frames that could not be read and were skipped
    ends_early: str  # how much is missing of a video file that is cut off; else empty
    num_instances: int
    written: list[Path]  # files and folders


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

    A file that cannot be written takes no other along.

    What is known so far is kept next to the results every ``SAVE_SECONDS``, for a file or folder
    and a model that does not remember the video itself, and removed when they are written.

    The overlay and the page (html) of a file or folder are drawn when all is known, from a second
    reading; the overlay of a camera or stream while it plays, with what is known then. Ctrl-C ends
    a camera or stream, whose results are then written.

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
    video = open_source(source, inferencer.broken_frames)
    if video.is_live and "html" in paths:
        raise UserInputError(f"{video.name}: a page needs a video file or folder, no live source")
    written = list(paths.values())
    anchor = written[0]
    job = f"{video.identity} {inferencer.job}" if video.identity and inferencer.job else ""
    with ExitStack() as stack:
        name = f".{short_name(anchor.name)}.results.partial"
        store = stack.enter_context(ResultStore(anchor.with_name(name), job, resume and bool(job)))
        overlay = None
        if video.is_live and "mp4" in paths:
            writer = OverlayWriter(paths["mp4"], video.fps or DEFAULT_FPS, with_trails=False)
            overlay = stack.enter_context(writer)

        def give(image: np.ndarray, frame: FrameResults) -> None:
            if overlay is not None:
                shown = video.seconds[frame.index] if video.seconds else None
                overlay.add(image, frame.of_classes(class_ids), shown)
            if on_frame is not None:
                on_frame(frame, video)

        stack.enter_context(_ended_by_ctrl_c(video))
        run = inferencer.run(video, store.state)
        _predict(run, store, inferencer.score_thr, give)
        results = VideoResults(
            video.name,
            run.size,
            video.fps,
            inferencer.classes,
            store,
            _wanted(run.scores(), inferencer.score_thr, class_ids),
            video.seconds,
            video.file_names(store.num_frames),
        )
        if overlay is not None:
            paths = {kind: path for kind, path in paths.items() if kind != "mp4"}
        _write(results, paths, lambda: open_source(source, inferencer.broken_frames))
    return Summary(
        store.num_frames,
        video.unreadable,
        video.ends_early,
        len(results.sequences.ids),
        written,
    )


def _predict(
    run: VideoRun,
    store: ResultStore,
    score_thr: float,
    give: Callable[[np.ndarray, FrameResults], None],
) -> None:
    """Put the results of a run into a store and give them frame by frame; keep its state."""
    begun = saved = time.monotonic()
    for part, images in run:
        store.add(part)
        frames = run.frame_results(part, images, score_thr)
        for image, frame in zip(images, frames, strict=True):
            give(image, frame)
        if store.job and time.monotonic() - saved >= SAVE_SECONDS:
            store.save(run.state_dict())
            saved = time.monotonic()
    if store.job and time.monotonic() - begun >= SAVE_SECONDS:
        store.save(run.state_dict())  # writing the files can take long, too


def _write(
    results: VideoResults, paths: dict[str, Path], reopen: Callable[[], FrameSource]
) -> None:
    """Write the files that are left to be written; one that fails takes no other along."""
    writers: dict[str, Callable[[Path], None]] = {
        "json": lambda path: write_json(results, path),
        "csv": lambda path: write_csv(results, path),
        "png": lambda path: write_pngs(results, path),
        "mp4": lambda path: _write_overlay(results, path, reopen()),
        "html": lambda path: _write_page(results, path, reopen()),
    }
    failures: list[Exception] = []
    for kind, write in writers.items():
        if kind in paths:
            try:
                write(paths[kind])
            except Exception as error:
                failures.append(error)
    for other in failures[1:]:
        print_log(describe(other), "current", logging.ERROR)
    if failures:
        raise failures[0]


def _write_overlay(results: VideoResults, path: Path, video: FrameSource) -> None:
    with OverlayWriter(path, results.fps or DEFAULT_FPS, sound=video.video) as overlay:
        for number, image in zip(range(results.store.num_frames), video, strict=False):
            seconds = results.seconds[number] if results.seconds else None
            overlay.add(image, results.frame(number), seconds)


def _write_page(results: VideoResults, path: Path, video: FrameSource) -> None:
    length = results.store.num_frames
    with HtmlReport(path, results.name, length, results.fps or DEFAULT_FPS) as page:
        for number, image in zip(range(length), video, strict=False):
            page.add(image, results.frame(number))


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


def _wanted(
    sequences: SequenceScores, score_thr: float, class_ids: Sequence[int] | None
) -> SequenceScores:
    """Sequences that are written."""
    ids, scores, labels = sequences
    keep = scores >= score_thr
    if class_ids is not None:
        keep &= (labels[:, None] == labels.new_tensor(class_ids)).any(1)
    return SequenceScores(ids[keep], scores[keep], labels[keep])
