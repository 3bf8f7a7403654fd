"""Installation of mmttsrn as an OpenMMLab plugin.

As in every OpenMMLab project, ``configs``, ``tools`` and ``model-index.yml`` travel inside the
package in ``mmttsrn/.mim``: that is where ``mim`` and config names such as ``mmttsrn::vis/x.py``
look. An editable installation links them, a wheel contains copies.
"""

import os
import shutil
import sys
from pathlib import Path

from setuptools import Extension, find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
PACKAGE = "mmttsrn"
MIM_ENTRIES = ("configs", "tools", "model-index.yml")
# Of tools/setup, the commands need launch_env.sh and check_packages.py only.
NOT_SHIPPED = (
    "__pycache__",
    "build_env.py",
    "find_python.sh",
    "pip_runner.py",
    "precompile_headers.py",
    "preflight.py",
)


def read_version() -> str:
    """Version of the package, without importing it."""
    namespace: dict[str, str] = {}
    exec((ROOT / PACKAGE / "version.py").read_text(encoding="utf-8"), namespace)
    return namespace["__version__"]


def read_requirements(name: str) -> list[str]:
    """Read the lines of ``requirements/<name>.txt``, without comments and options."""
    lines = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    stripped = [line.split("#")[0].strip() for line in lines]
    return [line for line in stripped if line and not line.startswith("-")]


class BuildPyWithMim(build_py):
    """Adds ``.mim`` to the built package, or links it in the source tree when editable."""

    def run(self) -> None:
        """Build the package, then put ``.mim`` into it."""
        super().run()
        if self.editable_mode:
            link_mim(ROOT / PACKAGE / ".mim")
        else:
            copy_mim(Path(self.build_lib) / PACKAGE / ".mim")


def link_mim(target: Path) -> None:
    """Make ``target`` a folder of relative links to the entries of the source tree."""
    target.mkdir(exist_ok=True)
    for name in MIM_ENTRIES:
        link = target / name
        if link.is_symlink() or link.is_file():
            link.unlink()
        elif link.is_dir():
            shutil.rmtree(link)
        if (ROOT / name).exists():
            link.symlink_to(os.path.relpath(ROOT / name, target))


def copy_mim(target: Path) -> None:
    """Make ``target`` a folder of copies of the entries of the source tree."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for name in MIM_ENTRIES:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=shutil.ignore_patterns(*NOT_SHIPPED))
        elif source.exists():
            shutil.copy2(source, target / name)


readme = ROOT / "README.md"
setup(
    name=PACKAGE,
    version=read_version(),
    description="TT-SRN: video instance segmentation with twin transformers and sinusoidal heads",
    long_description=readme.read_text(encoding="utf-8") if readme.exists() else "",
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    keywords="computer vision, video instance segmentation, transformer, SIREN, OpenMMLab",
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Intended Audience :: Science/Research",
        "Operating System :: POSIX",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
    python_requires=">=3.10",
    packages=find_packages(include=[PACKAGE, f"{PACKAGE}.*"]),
    ext_modules=[
        Extension(
            f"{PACKAGE}.formats._intervals",
            [f"{PACKAGE}/formats/_intervals.c"],
            extra_compile_args=[] if sys.platform == "win32" else ["-O3"],
        )
    ],
    package_data={PACKAGE: ["py.typed", "visualization/*.html"]},
    # MMEngine, MMCV, MMDetection and OpenCV are left out on purpose. Each exists under several pip
    # names (onedl-mmcv / mmcv, opencv-python / opencv-python-headless, ...) that provide the same
    # import name: naming one would install it over the files of another, and pip's build isolation
    # would compile MMCV without ops. The check at import names what is missing and the command.
    install_requires=read_requirements("runtime"),
    extras_require={
        "hosts": read_requirements("hosts"),
        "hosts-runtime": read_requirements("hosts_runtime"),
        "timm": read_requirements("timm"),
        "transformers": read_requirements("transformers"),
        "tests": read_requirements("tests"),
        "lint": read_requirements("lint"),
    },
    cmdclass={"build_py": BuildPyWithMim},
    zip_safe=False,
)
