"""The file with the converted weights of a foreign checkpoint."""

from pathlib import Path

import torch

from mmttsrn.checkpoints.conversion import Conversion
from mmttsrn.errors import UserInputError
from mmttsrn.formats.output_files import check_output_file, replace_file
from mmttsrn.version import __version__

SUFFIX = ".pth"


def check_out_file(out: str, source: str) -> None:
    """Refuse an output name before any work is done.

    Args:
        out: File to write.
        source: File that is read.

    Raises:
        UserInputError: The name does not end with ``.pth``, or the file cannot be written.
    """
    if not out.endswith(SUFFIX):
        raise UserInputError(f"--out {out}: expected the name of a file that ends with {SUFFIX}")
    check_output_file(Path(out), "--out", [source])


def save_converted(conversion: Conversion, out: str, kind: str, source: str, config: str) -> None:
    """Write converted weights as a checkpoint of MMEngine, whole or not at all.

    Args:
        conversion: The conversion.
        out: File to write; its folder is made.
        kind: Kind of the source.
        source: File that was read.
        config: Path or name of the model's config.
    """
    meta = {
        "converted_from": kind,
        "source": Path(source).name,
        "config": Path(config).stem,
        "mmttsrn_version": __version__,
    }
    content = {"meta": meta, "state_dict": conversion.state}
    replace_file(Path(out), lambda path: torch.save(content, path))
