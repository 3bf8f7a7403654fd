"""Command lines with a fault."""

from collections.abc import Iterator, Sequence
from typing import Any

from broken_inputs.cases import ACCEPTED, COMMANDS, EITHER, REFUSED, Case, Fault, instead, options

# For commands that read a config: value of --cfg-options, what is right.
CFG_OPTIONS: list[tuple[Sequence[str], str]] = [
    ([], REFUSED),
    (["model"], REFUSED),
    (["=5"], REFUSED),
    (["model="], REFUSED),
    (["model.type.x=3"], REFUSED),
    (["model.head=text"], REFUSED),
    (["model.head.num_classes=[1,2"], REFUSED),
    (["model.head.num_classes=text"], REFUSED),
    (["model.head.num_clases=4"], REFUSED),
    (["model.neck.embed_dim=4"], REFUSED),
    (["data_root=/nothing"], REFUSED),
    (["a..b=3"], EITHER),
    (["colour=3"], EITHER),
]
RUN_CFG_OPTIONS: dict[str, list[tuple[Sequence[str], str]]] = {
    "train": [
        (["train_dataloader.dataset.pipeline.9.num_frames=3"], REFUSED),
        (["train_dataloader.dataset.pipeline.0.num_frames=-1"], REFUSED),
        (["train_dataloader.dataset.pipeline.0.num_frames=40"], EITHER),
        (["train_dataloader.batch_size=1.5"], REFUSED),
        (["optim_wrapper.optimizer.lr=-1"], REFUSED),
        (["load_from=missing.pth"], REFUSED),
        (["resume=True", "load_from=missing.pth"], REFUSED),
        (["train_cfg.max_iters=None"], REFUSED),
    ],
    "test": [
        (["test_dataloader.dataset.ann_file=missing.json"], REFUSED),
        (["test_dataloader.dataset.pipeline.9.x=3"], REFUSED),
        (["test_evaluator.outfile_prefix=/proc/x/results"], REFUSED),
        (["test_evaluator.format_only=True"], EITHER),
    ],
}
EXTRA: dict[str, list[tuple[Sequence[Any], str]]] = {
    "train": [
        (["--resume", "missing.pth"], REFUSED),
        (["--resume"], ACCEPTED),
        (["--launcher", "ship"], REFUSED),
        (["--launcher", "slurm"], REFUSED),
        (["--local-rank", "x"], REFUSED),
        (["--auto-scale-lr"], REFUSED),
        (["--amp"], ACCEPTED),
    ],
    "test": [
        (["--out", "x.json"], REFUSED),
        (["--wait-time", "x"], REFUSED),
        (["--wait-time", "-1"], EITHER),
        (["--show-dir", "../../../x"], EITHER),
        (["--launcher", "mpi"], REFUSED),
    ],
    "evaluate": [
        (["--threads", "0"], REFUSED),
        (["--threads", "-1"], REFUSED),
        (["--threads", "x"], REFUSED),
        (["--threads", "nan"], REFUSED),
        (["--threads", "100000"], EITHER),
        (["--compare", "missing.json"], REFUSED),
        (["--plots"], REFUSED),
        (["--errors", "--boundary", "--class-agnostic", "--by-length"], ACCEPTED),
    ],
    "submit": [(["--out", "results.tar"], REFUSED), (["--out", ""], REFUSED)],
    "overlay": [
        (["--fps", "0"], REFUSED),
        (["--fps", "-1"], REFUSED),
        (["--fps", "nan"], REFUSED),
        (["--fps", "inf"], REFUSED),
        (["--fps", "1e300"], REFUSED),
        (["--fps", "1e-300"], REFUSED),
        (["--fps", "100000"], EITHER),
        (["--score-thr", "x"], REFUSED),
        (["--score-thr", "nan"], REFUSED),
        (["--score-thr", "2"], ACCEPTED),
        (["--video-id", "9"], REFUSED),
        (["--video-id", "x"], REFUSED),
        (["--video-id"], REFUSED),
        (["--max-videos", "0"], REFUSED),
        (["--max-videos", "-2"], REFUSED),
        (["--format", "gif"], REFUSED),
        (["--format", "both"], ACCEPTED),
        (["--img-root", "/nothing"], REFUSED),
    ],
    "report": [
        (["--fps", "0"], REFUSED),
        (["--fps", "nan"], REFUSED),
        (["--fps", "inf"], REFUSED),
        (["--score-thr", "nan"], REFUSED),
        (["--score-thr", "2"], ACCEPTED),
        (["--max-videos", "0"], REFUSED),
        (["--img-root", "/nothing"], REFUSED),
    ],
    "inference": [
        (["--window", "0"], REFUSED),
        (["--window", "-1"], REFUSED),
        (["--window", "1000000"], REFUSED),
        (["--window", "x"], REFUSED),
        (["--overlap", "-1"], REFUSED),
        (["--overlap", "99"], REFUSED),
        (["--latency", "-1"], REFUSED),
        (["--latency", "1000000"], EITHER),
        (["--window", "2", "--overlap", "2"], REFUSED),
        (["--device", "tpu9"], REFUSED),
        (["--device", "cuda:99"], REFUSED),
        (["--device", ""], REFUSED),
        (["--device", "meta"], REFUSED),
        (["--score-thr", "nan"], REFUSED),
        (["--score-thr", "x"], REFUSED),
        (["--score-thr", "2"], ACCEPTED),
        (["--score-thr", "-1"], EITHER),
        (["--classes", "cat"], REFUSED),
        (["--classes"], REFUSED),
        (["--classes", "disc"], ACCEPTED),
        (["--png", "--boxes-only"], REFUSED),
        (["--boxes-only"], EITHER),
        (["--show"], REFUSED),
        (["--weights", "missing.pth"], REFUSED),
        (["--model", "missing"], REFUSED),
        (["--model", "ttsrn-m2f_tiny_shape"], REFUSED),
        (["--amp", "--resume", "--png"], ACCEPTED),
    ],
    "convert": [
        (["--from", "nothing"], REFUSED),
        (["--from", "detr"], REFUSED),
        (["--from", "vistr"], REFUSED),
        (["--from", "mask2former-vis"], REFUSED),
        (["--from", "mmpretrain-svt"], REFUSED),
        (["--to", "ttsrn_ytvis19"], REFUSED),
        (["--to", "missing"], REFUSED),
        (["--out", "x.json"], REFUSED),
    ],
    "publish": [
        (["--name", "../x"], REFUSED),
        (["--name", ""], EITHER),
        (["--name", "-"], REFUSED),
        (["--name", "x" * 300], REFUSED),
        (["--date", "yesterday"], REFUSED),
        (["--date", "99999999"], EITHER),
        (["--metrics", "AP"], REFUSED),
        (["--metrics", "AP=x"], REFUSED),
        (["--metrics", "=1"], REFUSED),
        (["--metrics", "AP=nan", "--dataset", "x"], REFUSED),
        (["--dataset", "a\nb | c"], EITHER),
        (["--metafile", "missing.yml"], REFUSED),
        (["--location", "http://x y"], EITHER),
        (["--config-path", ""], EITHER),
    ],
    "demo": [
        (["--seed", "-1"], REFUSED),
        (["--seed", "x"], REFUSED),
        (["--seed", "99999999999999999999"], REFUSED),
        (["--config", "missing"], REFUSED),
        (["--data", "/nothing"], REFUSED),
        (["--data", ""], EITHER),
    ],
}


def command_line_cases() -> Iterator[Case]:
    """Cases of broken command lines."""
    for command in COMMANDS:
        if command != "demo":
            yield Case(command, "no arguments", REFUSED, instead())
        yield Case(command, "--unknown", REFUSED, options("--unknown"))
        yield Case(command, "one argument too many", REFUSED, options("more"))
        yield Case(command, "--help", ACCEPTED, instead("--help"))
        yield Case(command, "empty arguments", REFUSED, _emptied(command))
        for extra, right in EXTRA.get(command, []):
            yield _case(command, extra, right)
    for command in ("train", "test", "convert"):
        for values, right in CFG_OPTIONS + RUN_CFG_OPTIONS.get(command, []):
            if command != "train" and values == ["data_root=/nothing"]:
                right = EITHER
            yield _case(command, ["--cfg-options", *values], right)


def _case(command: str, extra: Sequence[Any], right: str) -> Case:
    name = " ".join(str(word) if str(word).strip() else repr(word) for word in extra)
    return Case(command, name if len(name) < 90 else name[:87] + "...", right, options(*extra))


def _emptied(command: str) -> Fault:
    """Paths of inputs that are empty texts."""
    words = ("truth", "results", "images", "video", "config", "foreign", "trained", "checkpoint")
    empty = dict.fromkeys(words, "")
    if command == "demo":
        return instead("")
    return lambda work: empty
