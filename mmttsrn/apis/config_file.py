"""Finding and reading the config that a program or a command names."""

import difflib
from collections.abc import Iterable
from pathlib import Path

from mmengine.config import Config

from mmttsrn.errors import UserInputError, input_errors
from mmttsrn.registry import SCOPE

PACKAGE_ROOT = Path(__file__).resolve().parents[1]
PREFIX = f"{SCOPE}::"
# Folders of configs that a file name alone does not find: parts, and those of the second host.
BY_PATH_ONLY = {"_base_", "mmtrack"}


def load_config(name: str, required_keys: Iterable[str] = ("model",)) -> Config:
    """Read a config.

    Args:
        name: See :func:`find_config`.
        required_keys: Top-level keys that have to be there.

    Raises:
        UserInputError: There is no such config, it cannot be read or lacks a required key.
    """
    path = find_config(name)
    try:
        with input_errors(str(path)):
            cfg = Config.fromfile(path)
    except SystemExit as error:  # a config is a program
        raise UserInputError(f"{path}: ends the program; remove that from the config") from error
    missing = [key for key in required_keys if cfg.get(key) is None]
    if missing:
        raise UserInputError(f"{path}: no {' and no '.join(missing)} in this config")
    return cfg


def find_config(name: str) -> Path:
    """Find a config by path or by the name of one that ships with the package.

    Args:
        name: Path of a file; ``mmttsrn::vis/x.py``, a path below the package's configs; or ``x``,
            the file name of one of them. The suffix ``.py`` may be left out of the last two.

    Raises:
        UserInputError: No config has this name, or several have.
    """
    if Path(name).is_file():
        return Path(name)
    root = configs_folder()
    paths = sorted(root.rglob("*.py"))
    shipped = [p for p in paths if not BY_PATH_ONLY.intersection(p.relative_to(root).parts)]
    wanted = name.removeprefix(PREFIX).removesuffix(".py")
    if name.startswith(PREFIX):
        path = root / f"{wanted}.py"
        matches = [path] if path.is_file() else []
    else:
        matches = [path for path in shipped if path.stem == wanted]
    if len(matches) == 1:
        return matches[0]
    if matches:
        names = ", ".join(PREFIX + path.relative_to(root).as_posix() for path in matches)
        raise UserInputError(f"{name}: expected the name of one config, got that of {names}")
    if Path(name).is_dir():
        raise UserInputError(f"{name}: there is no config.json in this folder; name a config file")
    stems = [path.stem for path in shipped]
    close = difflib.get_close_matches(Path(wanted).stem, stems, n=1)
    hint = f"did you mean {close[0]}?" if close else f"configs: {', '.join(stems)}"
    raise UserInputError(f"{name}: there is no such config file; {hint}")


def config_stem(name: str) -> str:
    """Name of a config without scope, folder and suffix."""
    return name.rpartition("::")[2].rpartition("/")[2].removesuffix(".py")


def configs_folder() -> Path:
    """Folder of the configs that ship with the package, installed or in a source tree."""
    installed = PACKAGE_ROOT / ".mim" / "configs"
    return installed if installed.is_dir() else PACKAGE_ROOT.parent / "configs"
