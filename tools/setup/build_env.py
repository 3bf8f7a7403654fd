"""Build the environment of mmttsrn: ``make setup`` runs this.

It can be run any number of times. An environment that is up to date is left alone at once; one
that was interrupted is completed, since pip skips what is there and each step checks its result;
a virtual environment that no longer runs is made again. Standard library only.
"""

from __future__ import annotations  # an older Python is to reach check_python

import argparse
import hashlib
import re
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

from pip_runner import PipRunner, compiled_files, format_time
from preflight import (
    CompileError,
    SetupError,
    check_compiler,
    check_disk,
    check_python,
    compiler_jobs,
)

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = ROOT / "requirements"
CHECK_OPS = str(Path(__file__).with_name("check_ops.py"))
PRECOMPILE = str(Path(__file__).with_name("precompile_headers.py"))
MMCV = "onedl-mmcv"
# Installed as they are: what of their dependencies is needed stands in hosts_runtime.txt.
WITHOUT_DEPENDENCIES = ("onedl-mmdetection", "imaug")
IMPORT_HOST = "import mmdet.datasets, mmdet.engine, mmdet.evaluation, mmdet.models"
PIP_PROBE = "import sys, pip; sys.exit(sys.version_info < (3, 10))"
# Cheap enough to run on every `make test`: metadata only, nothing is imported.
QUICK_PROBE = """
from importlib import metadata, util
for name in "torch onedl-mmengine onedl-mmcv onedl-mmdetection imaug pytest mmttsrn".split():
    metadata.version(name)
assert util.find_spec("mmttsrn") is not None
"""


def main() -> int:
    """Build or complete the environment; returns the exit status, 0 when it is ready."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--venv", type=Path, default=ROOT / ".venv", help="folder to build in")
    parser.add_argument(
        "--torch",
        default="torch==2.13.0",
        help="what to ask pip for; may hold options: 'torch==2.13.0 --index-url URL'",
    )
    parser.add_argument(
        "--require-python",
        action="store_true",
        help="refuse an environment of another Python version than the one that runs this",
    )
    args = parser.parse_args()
    venv = args.venv.absolute()
    try:
        if args.require_python:
            check_same_python(venv)
        if is_up_to_date(venv, args.torch):
            print(f"environment is up to date: {args.venv}")
            return 0
        build(venv, args.torch)
    except SetupError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; run again to go on from here", file=sys.stderr)
        return 130
    return 0


def build(venv: Path, torch: str) -> None:
    """Run every step; steps that are done already take a second or two."""
    start = time.monotonic()
    check_python()
    check_disk(venv)
    pip = PipRunner(venv, compiler_jobs())
    if not (runs(venv) and pip.succeeds(CHECK_OPS)):
        check_compiler()
    create_venv(venv)
    pip.log.write_text("", encoding="utf-8")

    print(f"setting up {venv}; log: {pip.log}", flush=True)
    install_packages(pip, venv, torch)
    stamp_file(venv).write_text(fingerprint(torch), encoding="utf-8")
    print(f"environment is ready: {venv} ({format_time(time.monotonic() - start)})")


def install_packages(pip: PipRunner, venv: Path, torch: str) -> None:
    """Install everything in the order in which one thing needs the other.

    The long compilation comes after all that pip can fetch, so that what is cheap fails first.
    """
    print("[1/4] PyTorch and the build tools", flush=True)
    constraints = write_constraints(venv, torch_pin=None)
    build_tools = ["-r", str(REQUIREMENTS / "build.txt"), "-c", str(constraints)]
    pip.install(*shlex.split(torch), *build_tools)
    found = pip.output("-c", "from importlib.metadata import version; print(version('torch'))")
    if not found:
        raise SetupError(f"PyTorch is installed but cannot be found; log: {pip.log}")
    constraints = write_constraints(venv, torch_pin=f"torch=={found}")

    print("[2/4] packages", flush=True)
    names = ("runtime", "hosts_runtime", "tests", "lint")
    files = [f for name in names for f in ("-r", str(REQUIREMENTS / f"{name}.txt"))]
    pip.install(*files, "onedl-mmengine", "-c", str(constraints))

    what = "MMCV with compiled ops: about three minutes on two cores"
    print(f"[3/4] {what}", flush=True)
    install_mmcv(pip, constraints)

    print("[4/4] MMDetection and mmttsrn", flush=True)
    pip.install("--no-deps", *WITHOUT_DEPENDENCIES, "-c", str(constraints))
    pip.install("--no-deps", "--no-build-isolation", "-e", str(ROOT))
    if not pip.succeeds("-c", IMPORT_HOST):
        raise SetupError(f"MMDetection is installed but cannot be imported; log: {pip.log}")
    shutil.rmtree(pip.build_folder, ignore_errors=True)


def install_mmcv(pip: PipRunner, constraints: Path) -> None:
    """Install MMCV with ops that run against the PyTorch of the environment.

    An installed MMCV, or a wheel in pip's cache, may have been built without ops or against another
    PyTorch: then it is compiled here. Where it does not compile with precompiled headers, it is
    compiled without.
    """
    common = ["--no-deps", "--no-build-isolation", "-c", str(constraints), MMCV]
    anew = ["--force-reinstall", "--no-cache-dir", "--no-binary", MMCV]
    pip.build_folder.mkdir(exist_ok=True)
    cflags = pip.output(PRECOMPILE, str(pip.build_folder))
    attempts = [([], cflags), (anew, cflags), *([(anew, "")] if cflags else [])]
    fits = True
    for options, flags in attempts:
        if flags and not fits:
            continue
        try:
            pip.install(*options, *common, progress=compiled_files, cflags=flags)
        except CompileError:
            if not flags:
                raise
            print("    MMCV does not compile with precompiled headers", flush=True)
            fits = False
            continue
        if pip.succeeds(CHECK_OPS):
            return
        print("    the ops of this MMCV do not run with this PyTorch", flush=True)
    raise SetupError(f"MMCV's ops were compiled but do not run; log: {pip.log}")


def create_venv(venv: Path) -> None:
    """Create the virtual environment, or make one again that does not run any more."""
    if runs(venv):
        return
    if venv.exists() and any(venv.iterdir()) and not (venv / "pyvenv.cfg").exists():
        raise SetupError(f"VENV={venv} holds other files; choose an empty or a new folder")
    command = [sys.executable, "-m", "venv", "--clear", str(venv)]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode != 0:
        lines = (result.stderr or result.stdout).strip().splitlines()
        raise SetupError(f"cannot create {venv}: {lines[-1] if lines else 'venv failed'}")


def check_same_python(venv: Path) -> None:
    """Refuse to complete an environment that another Python version has made."""
    config = venv / "pyvenv.cfg"
    if not config.is_file():
        return
    wanted = ".".join(map(str, sys.version_info[:2]))
    match = re.search(r"^version\w* *= *(\d+\.\d+)", config.read_text(), flags=re.MULTILINE)
    if match and match.group(1) != wanted:
        raise SetupError(
            f"{venv} is an environment of Python {match.group(1)}, not {wanted}: delete it or "
            "choose another folder with VENV="
        )


def runs(venv: Path, code: str = PIP_PROBE) -> bool:
    """Whether the environment's interpreter runs some code to its end; by default that pip starts.

    It runs where it finds the installed packages only.
    """
    command = [str(venv / "bin" / "python"), "-c", code]
    try:
        return subprocess.run(command, capture_output=True, cwd=venv).returncode == 0
    except OSError:
        return False


def write_constraints(venv: Path, torch_pin: str | None) -> Path:
    """Write the tested versions, with PyTorch as ``TORCH=`` may choose it; return the file's path.

    The pin is what is installed, so that no later step replaces it; None leaves it open.
    """
    tested = (REQUIREMENTS / "constraints.txt").read_text(encoding="utf-8").splitlines()
    lines = [line for line in tested if not line.startswith("torch==")]
    path = venv / "constraints.txt"
    path.write_text("\n".join([*lines, *filter(None, [torch_pin])]) + "\n", encoding="utf-8")
    return path


def is_up_to_date(venv: Path, torch: str) -> bool:
    """Whether the environment was completed from the present requirements and still stands."""
    stamp = stamp_file(venv)
    completed = stamp.is_file() and stamp.read_text(encoding="utf-8") == fingerprint(torch)
    return completed and runs(venv, QUICK_PROBE)


def fingerprint(torch: str) -> str:
    """Hash of everything that decides what is installed."""
    digest = hashlib.sha256(f"{ROOT}\n{torch}\n".encode())
    sources = sorted((ROOT / "mmttsrn").rglob("*.c"))
    settings = [ROOT / "setup.py", ROOT / "pyproject.toml"]
    for path in [*sorted(REQUIREMENTS.glob("*.txt")), *settings, *sources]:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def stamp_file(venv: Path) -> Path:
    """File that marks a completed environment."""
    return venv / "setup.stamp"


if __name__ == "__main__":
    sys.exit(main())
