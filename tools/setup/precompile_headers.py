"""Precompile PyTorch's headers, which every file of MMCV's ops includes: ``... FOLDER``.

Prints the CFLAGS with which a build uses them, and ends with status 1 where that cannot be done.
GCC ignores a precompiled header that does not fit the flags of a file and reads the plain one, so
that the flags never decide whether a file compiles. The environment's Python runs this.
"""

import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch
from setuptools._distutils.ccompiler import new_compiler
from setuptools._distutils.sysconfig import customize_compiler, get_python_inc
from torch.utils.cpp_extension import include_paths

# As MMCV and PyTorch's BuildExtension add them.
ADDED = ["-std=c++17", "-DTORCH_API_INCLUDE_EXTENSION_H", "-DTORCH_EXTENSION_NAME=_ext"]


def precompile(folder: Path) -> str:
    """Write the precompiled header into the folder and return the CFLAGS that include it."""
    compiler = [*shlex.split(os.environ.get("CXX", "c++"))]
    if torch.cuda.is_available() or os.environ.get("FORCE_CUDA") == "1":
        raise RuntimeError("a CUDA build compiles most files by nvcc")
    macros = subprocess.check_output([*compiler, "-dM", "-E", "-x", "c++", os.devnull], text=True)
    if "__clang__" in macros or "__GNUC__" not in macros:
        raise RuntimeError(f"{shlex.join(compiler)} is not GCC")
    builder: Any = new_compiler()
    customize_compiler(builder)
    flags = [*builder.compiler_so[1:], "-g0"]
    header = folder / "torch_headers.hpp"
    header.write_text("#include <torch/types.h>\n", encoding="utf-8")
    includes = [f"-I{path}" for path in (*include_paths(), get_python_inc())]
    output = ["-x", "c++-header", str(header), "-o", f"{header}.gch"]
    subprocess.run([*compiler, "-w", *flags, *includes, *output, *ADDED], check=True)
    return shlex.join([*flags, "-w", "-include", str(header)])


if __name__ == "__main__":
    try:
        print(precompile(Path(sys.argv[1])))
    except (OSError, RuntimeError, subprocess.CalledProcessError) as error:
        sys.exit(f"headers are not precompiled: {error}")
