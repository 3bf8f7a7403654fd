"""The scripts behind ``make setup``, without installing anything."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SETUP = Path(__file__).resolve().parents[2] / "tools" / "setup"


@pytest.fixture(scope="module", autouse=True)
def scripts_on_path():
    """The scripts are run by path and import each other from their own folder."""
    sys.path.insert(0, str(SETUP))
    yield
    sys.path.remove(str(SETUP))


def find_python(*arguments: str, path: str = "/usr/bin:/bin") -> subprocess.CompletedProcess:
    command = ["/bin/sh", str(SETUP / "find_python.sh"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, env={"PATH": path})


@pytest.fixture
def fake_python(tmp_path):
    """Make a program ``name`` that behaves as a script says."""

    def make(name: str, script: str) -> Path:
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path

    return make


def test_named_python_is_found():
    result = find_python(sys.executable)
    assert result.returncode == 0
    assert result.stdout.strip() == sys.executable


def test_pythons_that_do_not_run_are_passed_over(fake_python, tmp_path):
    fake_python("python3.11", "echo 'no such version' >&2; exit 127")
    fake_python("python3.12", f'exec {sys.executable} "$@"')
    result = find_python(path=str(tmp_path))
    assert Path(result.stdout.strip()).resolve() == Path(sys.executable).resolve()


def test_old_python_is_refused_by_name(fake_python):
    old = fake_python("old", 'case "$2" in *executable*) exit 1;; esac; echo 3.9')
    result = find_python(str(old))
    assert result.returncode == 1
    assert result.stderr == f"error: PYTHON={old} is Python 3.9, but mmttsrn needs Python >= 3.10\n"


def test_python_that_does_not_run():
    result = find_python("/nonexistent/python")
    assert result.returncode == 1
    assert result.stderr.startswith("error: PYTHON=/nonexistent/python does not run")


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ("ERROR: [Errno 28] No space left on device", "the disk is full"),
        (
            "WARNING: Retrying (Retry(total=0)) after NewConnectionError\n"
            "ERROR: No matching distribution found for torch==2.13.0",
            "cannot reach its package index",
        ),
        ("ERROR: No matching distribution found for torch==99", "index has no torch==99"),
        ("g++: fatal error: Killed signal terminated program cc1plus", "MAX_JOBS=1"),
        ("ninja: build stopped: subcommand failed.\nRetrying (", "a C++ file did not compile"),
        ("ERROR: ResolutionImpossible: see the docs", "TORCH= does not fit"),
        ("text\nERROR: Invalid requirement: 'x y'\nhint", "Invalid requirement: 'x y'"),
        ("", "pip failed"),
    ],
)
def test_failures_of_pip_are_told_in_one_line(output, reason):
    from pip_runner import explain_failure

    line = explain_failure(output)
    assert reason in line
    assert "\n" not in line


def test_progress_of_the_compilation(tmp_path):
    from pip_runner import compiled_files

    assert compiled_files(tmp_path) == ""
    build = tmp_path / "pip-install-x" / "onedl-mmcv_y" / "build" / "temp.linux"
    (build / "ops").mkdir(parents=True)
    (build / "build.ninja").write_text("build /a/x.o: compile x.cpp\nbuild /a/y.o: compile y.cpp\n")
    (build / "ops" / "x.o").touch()
    assert compiled_files(tmp_path) == "1 of 2 files compiled"


def test_failed_command_names_reason_and_log(tmp_path):
    from pip_runner import PipRunner
    from preflight import SetupError

    runner = PipRunner(tmp_path, max_jobs=1)
    runner.python = Path(sys.executable)
    with pytest.raises(SetupError) as error:
        runner.install("--no-such-option")
    assert str(error.value).endswith(f"; log: {tmp_path / 'setup.log'}")
    assert "--no-such-option" in (tmp_path / "setup.log").read_text()


def test_killed_command_says_so(tmp_path, fake_python):
    from pip_runner import PipRunner
    from preflight import SetupError

    runner = PipRunner(tmp_path, max_jobs=1)
    runner.python = fake_python("killed", "kill -9 $$")
    with pytest.raises(SetupError, match=r"pip was killed \(signal 9\)"):
        runner.install("x")


def test_other_files_are_never_cleared(tmp_path):
    from build_env import create_venv
    from preflight import SetupError

    (tmp_path / "thesis.tex").touch()
    with pytest.raises(SetupError, match="holds other files"):
        create_venv(tmp_path)
    assert (tmp_path / "thesis.tex").exists()


@pytest.mark.parametrize("config", ["version = 3.9.1", "version_info = 3.9.1.final.0"])
def test_environment_of_another_python_is_refused(tmp_path, config):
    from build_env import check_same_python
    from preflight import SetupError

    (tmp_path / "pyvenv.cfg").write_text(f"home = /x\n{config}\n")
    with pytest.raises(SetupError, match=r"an environment of Python 3\.9"):
        check_same_python(tmp_path)


def test_full_disk_is_refused(tmp_path, monkeypatch):
    import preflight

    monkeypatch.setattr(preflight, "MIN_FREE_GB", 10**9)
    with pytest.raises(preflight.SetupError, match=f"GB free in {tmp_path}"):
        preflight.check_machine(tmp_path / "new" / "venv", compiles=False)


def test_missing_compiler_is_refused(monkeypatch, tmp_path):
    import preflight

    monkeypatch.setenv("CXX", "/nonexistent/c++")
    with pytest.raises(preflight.SetupError, match=r"no working C\+\+17 compiler"):
        preflight.check_machine(tmp_path, compiles=True)


def test_own_torch_is_pinned_in_place_of_the_tested_one(tmp_path):
    from build_env import write_constraints

    lines = write_constraints(tmp_path, "torch==2.10.0").read_text().splitlines()
    assert [line for line in lines if line.startswith("torch==")] == ["torch==2.10.0"]
    assert any(line.startswith("onedl-mmcv==") for line in lines)


def test_stamp_depends_on_torch():
    from build_env import fingerprint

    assert fingerprint("torch==2.13.0") == fingerprint("torch==2.13.0")
    assert fingerprint("torch==2.13.0") != fingerprint("torch==2.10.0")


class FakePip:
    """Stands in for pip: for each attempt whether the ops run afterwards, or None: no compilation.

    Args:
        cflags: What precompiling gives; empty where it is impossible.
    """

    log = "setup.log"

    def __init__(self, folder: Path, cflags: str, *attempts: bool | None) -> None:
        self.build_folder = folder
        self.cflags = cflags
        self.attempts = list(attempts)
        self.used: list[tuple[bool, str]] = []  # compiled anew, with these flags

    def output(self, *arguments):
        return self.cflags

    def install(self, *arguments, progress, cflags):
        from preflight import CompileError

        self.used.append(("--force-reinstall" in arguments, cflags))
        self.ops_run = self.attempts.pop(0)
        if self.ops_run is None:
            raise CompileError("a C++ file did not compile")

    def succeeds(self, script):
        return self.ops_run


@pytest.mark.parametrize(
    ("cflags", "attempts", "used"),
    [
        ("-x", [True], [(False, "-x")]),
        ("-x", [False, True], [(False, "-x"), (True, "-x")]),
        ("-x", [None, True], [(False, "-x"), (True, "")]),
        ("", [False, True], [(False, ""), (True, "")]),
    ],
)
def test_mmcv_is_compiled_until_its_ops_run(tmp_path, cflags, attempts, used):
    from build_env import install_mmcv

    pip = FakePip(tmp_path, cflags, *attempts)
    install_mmcv(pip, Path("constraints.txt"))
    assert pip.used == used


def test_ops_that_never_run_end_the_setup(tmp_path):
    from build_env import install_mmcv
    from preflight import SetupError

    with pytest.raises(SetupError, match="compiled but do not run"):
        install_mmcv(FakePip(tmp_path, "", False, False), Path("constraints.txt"))


def test_headers_are_not_precompiled_by_another_compiler_than_gcc(fake_python, tmp_path):
    compiler = fake_python("c++", "echo '#define __GNUC__ 4'; echo '#define __clang__ 1'")
    command = [sys.executable, str(SETUP / "precompile_headers.py"), str(tmp_path)]
    environment = {**os.environ, "CXX": str(compiler)}
    result = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.endswith("is not GCC\n")
