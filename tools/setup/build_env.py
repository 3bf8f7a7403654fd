"""Build the environment of mmttsrn: ``make setup`` runs this.

An environment that is up to date is left alone; one that was interrupted is completed, since pip
skips what is there. Standard library only.
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
from preflight import CompileError, SetupError, check_machine, check_python, compiler_jobs

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = ROOT / "requirements"
CHECK_OPS = str(Path(__file__).with_name("check_ops.py"))
PRECOMPILE = str(Path(__file__).with_name("precompile_headers.py"))
MMCV = "onedl-mmcv"
STAMP = "setup.stamp"  # marks a completed environment
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
    parser.add_argument("--torch", default="torch==2.13.0", help="what to ask pip for")
    parser.add_argument("--require-python", action="store_true", help="refuse another Python's")
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
    pip = PipRunner(venv, compiler_jobs())
    check_machine(venv, compiles=not (runs(venv) and pip.succeeds(CHECK_OPS)))
    create_venv(venv)
    pip.log.write_text("", encoding="utf-8")

    print(f"setting up {venv}; log: {pip.log}", flush=True)
    install_packages(pip, venv, torch)
    (venv / STAMP).write_text(fingerprint(torch), encoding="utf-8")
    print(f"environment is ready: {venv} ({format_time(time.monotonic() - start)})")


def install_packages(pip: PipRunner, venv: Path, torch: str) -> None:
    """Install everything; the long compilation comes after what is cheap and may fail."""
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

    print("[3/4] MMCV with compiled ops: about three minutes on two cores", flush=True)
    install_mmcv(pip, constraints)

    print("[4/4] MMDetection and mmttsrn", flush=True)
    pip.install("--no-deps", *WITHOUT_DEPENDENCIES, "-c", str(constraints))
    pip.install("--no-deps", "--no-build-isolation", "-e", str(ROOT))
    if not pip.succeeds("-c", IMPORT_HOST):
        raise SetupError(f"MMDetection is installed but cannot be imported; log: {pip.log}")
    shutil.rmtree(pip.build_folder, ignore_errors=True)


def install_mmcv(pip: PipRunner, constraints: Path) -> None:
    """Install MMCV with ops that run against the PyTorch of the environment.

    What is installed or in pip's cache may be built without ops or against another PyTorch.
    """
    common = ["--no-deps", "--no-build-isolation", "-c", str(constraints), MMCV]
    anew = ["--force-reinstall", "--no-cache-dir", "--no-binary", MMCV]
    pip.build_folder.mkdir(exist_ok=True)
    cflags = pip.output(PRECOMPILE, str(pip.build_folder))
    for options in ([], anew, anew) if cflags else ([], anew):
        try:
            pip.install(*options, *common, progress=compiled_files, cflags=cflags)
            if pip.succeeds(CHECK_OPS):
                return
            print("    the ops of this MMCV do not run with this PyTorch", flush=True)
        except CompileError:
            if not cflags:
                raise
            print("    MMCV does not compile with precompiled headers", flush=True)
            cflags = ""
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
        reason = (result.stderr or result.stdout or "venv failed").strip().splitlines()[-1]
        raise SetupError(f"cannot create {venv}: {reason}")


def check_same_python(venv: Path) -> None:
    """Refuse to complete an environment that another Python version has made."""
    config = venv / "pyvenv.cfg"
    text = config.read_text() if config.is_file() else ""
    match = re.search(r"^version\w* *= *(\d+\.\d+)", text, flags=re.MULTILINE)
    if match and match.group(1) != ".".join(map(str, sys.version_info[:2])):
        raise SetupError(f"{venv} is an environment of Python {match.group(1)}; set VENV=")


def runs(venv: Path, code: str = PIP_PROBE) -> bool:
    """Whether the environment's interpreter runs code to its end, outside the source tree."""
    command = [str(venv / "bin" / "python"), "-c", code]
    try:
        return subprocess.run(command, capture_output=True, cwd=venv).returncode == 0
    except OSError:
        return False


def write_constraints(venv: Path, torch_pin: str | None) -> Path:
    """Write the tested versions, with PyTorch as it is installed or, with None, left open."""
    tested = (REQUIREMENTS / "constraints.txt").read_text(encoding="utf-8").splitlines()
    lines = [line for line in tested if not line.startswith("torch==")]
    path = venv / "constraints.txt"
    path.write_text("\n".join([*lines, *filter(None, [torch_pin])]) + "\n", encoding="utf-8")
    return path


def is_up_to_date(venv: Path, torch: str) -> bool:
    """Whether the environment was completed from the present requirements and still stands."""
    stamp = venv / STAMP
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


if __name__ == "__main__":
    sys.exit(main())
