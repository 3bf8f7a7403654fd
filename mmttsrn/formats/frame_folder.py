"""The folder of a data set's frames, in which they are found by the file names of a json."""

import os
import unicodedata
from collections.abc import Sequence

from mmttsrn.errors import UserInputError


class FrameFolder:
    r"""The folder that the file names of a json are relative to.

    A name that is not there as it is spelt is looked for with ``/`` instead of ``\``, as Windows
    separates folders, and in the Unicode form of the disk: ``é`` is one character or two, and
    file systems and archives change one to the other.

    Args:
        root: The folder.
    """

    def __init__(self, root: str | os.PathLike) -> None:
        self.root = os.fspath(root)
        self._listings: dict[str, tuple[str, dict[str, str] | None]] = {}

    def find(self, name: str) -> str | None:
        """Return the path of an image or of ``video.mp4/00012``; None where the file is missing.

        Each folder is listed once: a look-up per frame is slow on network file systems.
        """
        return self._find(os.path.join(self.root, name)) or self._find(self._with_slashes(name))

    def find_all(self, names: Sequence[str], owner: str, root_name: str) -> list[str]:
        """Return the paths of frames.

        Args:
            names: Their file names in the json.
            owner: Whose frames they are, for messages.
            root_name: What sets the folder that they are relative to, for messages.

        Raises:
            UserInputError: Frames are missing; the message says what is not there of the first.
        """
        paths = [self.find(name) for name in names]
        found = [path for path in paths if path]
        if len(found) < len(paths):
            first = names[paths.index(None)]
            raise UserInputError(
                f"{os.path.join(self.root, first)}: image not found ({len(paths) - len(found)} of "
                f"{len(paths)} frames of {owner} are missing): {self._why_missing(first)}; "
                f"file_names are relative to {root_name}"
            )
        return found

    def _why_missing(self, name: str) -> str:
        if not os.path.isdir(self.root or "."):
            return f"there is no folder {self.root!r}"
        folder, part = os.path.split(self._with_slashes(name))
        while len(folder) > len(self.root) and not os.path.exists(self._list(folder)[0]):
            folder, part = os.path.split(folder)
        folder, names = self._list(folder)
        others = set(names or ()) - {part}
        alike = sorted(other for other in others if _loosely(other) == _loosely(part))
        return f"{folder or '.'} has no {part!r}" + "".join(f", but {one!r}" for one in alike[:1])

    def _with_slashes(self, name: str) -> str:
        return os.path.join(self.root, name.replace("\\", "/"))

    def _find(self, path: str) -> str | None:
        folder, name = os.path.split(path)
        folder, names = self._list(folder)
        if names is None:  # a video file, which may hold any frame
            return os.path.join(folder, name) if name.isascii() and name.isdigit() else None
        spelt = names.get(name) or names.get(unicodedata.normalize("NFC", name))
        return spelt and os.path.join(folder, spelt)

    def _list(self, folder: str) -> tuple[str, dict[str, str] | None]:
        """Path of a folder and what is in it by its names, exact and in NFC; None for a file."""
        if folder not in self._listings:
            self._listings[folder] = self._listing(folder)
        return self._listings[folder]

    def _listing(self, folder: str) -> tuple[str, dict[str, str] | None]:
        if os.path.isfile(folder):
            return folder, None
        if os.path.isdir(folder or "."):
            names = os.listdir(folder or ".")
            same = {unicodedata.normalize("NFC", name): name for name in names}
            return folder, same | {name: name for name in names}
        is_below = folder.startswith(self.root) and len(folder) > len(self.root)
        spelt = self._find(folder) if is_below else None
        return self._list(spelt) if spelt and spelt != folder else (folder, {})


def _loosely(name: str) -> str:
    """Leave out what people mistake: letter case, suffix, blanks, forms of characters."""
    return unicodedata.normalize("NFKC", os.path.splitext(name.strip())[0]).casefold()
