"""The file with the converted weights of a foreign checkpoint."""

from pathlib import Path

import torch

from mmttsrn.checkpoints.conversion import Conversion
from mmttsrn.errors import UserInputError
from mmttsrn.formats.output_files import check_output_file, replace_file
from mmttsrn.version import __version__


def check_out_file(out: str, source: str) -> None:
    """Refuse an output name before any work is done.

    Raises:
        UserInputError: It does not end with ``.pth``, is the source, or cannot be written.
    """
    if not out.endswith(".pth"):
        raise UserInputError(f"--out {out}: expected the name of a file that ends with .pth")
    check_output_file(Path(out), "--out", [source])


def save_converted(conversion: Conversion, out: str, kind: str, source: str, config: str) -> None:
    """Write converted weights as a checkpoint of MMEngine, whole or not at all.

    Its folder is made. Kind, file name of the source and stem of the config are kept as ``meta``.
    """
    meta = {
        "converted_from": kind,
        "source": Path(source).name,
        "config": Path(config).stem,
        "mmttsrn_version": __version__,
    }
    content = {"meta": meta, "state_dict": conversion.state}

    def write(path: Path) -> None:
        with path.open("wb") as file:  # whose errors name it, other than those of PyTorch's writer
            torch.save(content, file)

    replace_file(Path(out), write)
