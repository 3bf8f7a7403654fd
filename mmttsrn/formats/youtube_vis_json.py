"""The official json formats of YouTube-VIS as schemas: which fields there are, and of what type.

What a schema cannot say is checked where the entries are used.
"""

import os
import re
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from mmttsrn.errors import UserInputError
from mmttsrn.formats.encoded_masks import pack_masks
from mmttsrn.formats.json_stream import read_json
from mmttsrn.formats.rle import whole_number

# Larger frames are a mistake; evaluating their masks would fill the memory of a machine.
MAX_PIXELS = 2**27
MAX_SIDE = 2**16

if TYPE_CHECKING:
    Id = int  # texts are ids, too, and nothing but equal or not
else:
    Id = int | str
Source = str | os.PathLike | dict[str, Any] | list[Any]
Side = Annotated[int, Meta(ge=1, le=MAX_SIDE)]
Area = Annotated[float, Meta(ge=0, le=MAX_PIXELS)]
OcclusionLevel = Literal["no_occlusion", "slight_occlusion", "severe_occlusion"]
Schema = TypeVar("Schema", bound=Struct)
Item = TypeVar("Item")


class VideoEntry(Struct):
    """A video; some tools mark the long ones of YouTube-VIS 2022 by ``is_long`` or ``long``."""

    id: Id
    width: Side
    height: Side
    length: Annotated[int, Meta(ge=1)] | UnsetType = UNSET
    file_names: Annotated[list[str], Meta(min_length=1)] | UnsetType = UNSET
    is_long: bool | int | None = None
    long: bool | int | None = None


class CategoryEntry(Struct):
    """A category."""

    id: Id
    name: str | int


class AnnotationEntry(Struct):
    """An annotated sequence; ``segmentations`` are masks as :func:`pack_masks` gives them."""

    video_id: Id
    category_id: Id
    segmentations: Any
    bboxes: list[list[float] | None] | None = None
    areas: list[Area | None] | None = None
    iscrowd: bool | Literal[0, 1] | None = 0
    occlusion: list[OcclusionLevel | None] | None = None
    id: Any = None


class ResultEntry(Struct):
    """A predicted sequence; ``segmentations`` as those of annotations."""

    video_id: Id
    category_id: Id
    score: float
    segmentations: Any
    id: Any = None


def read_content(source: Source, backend_args: dict | None = None) -> Any:
    """Read a json file, or copy its content; masks become small on the way.

    Args:
        source: Path, URL or content, which is not changed and may hold NumPy numbers.
        backend_args: Arguments of the mmengine file backend.
    """
    if isinstance(source, (str, os.PathLike)):
        return read_json(source, small_entry, backend_args)
    if isinstance(source, dict):
        return {key: _copied(value) for key, value in source.items()}
    return _copied(source)


def _copied(value: Any) -> Any:
    return [_plain(entry) for entry in value] if isinstance(value, list) else value


def _plain(entry: Any) -> Any:
    return small_entry(
        msgspec.to_builtins(entry, builtin_types=(bytes,), enc_hook=lambda value: value.tolist())
    )


def small_entry(entry: Any) -> Any:
    """Put the masks of an entry, if it has any, into a small form; see :func:`pack_masks`."""
    if not isinstance(entry, dict) or "segmentations" not in entry:
        return entry
    return {**entry, "segmentations": pack_masks(entry["segmentations"])}


def entries_as(
    schema: type[Schema], content: Any, key: str, name: str
) -> Iterator[tuple[int, Schema]]:
    """Give number and content of the entries of one list of a json object, as a schema has them.

    Raises:
        UserInputError: There is no such list, or an entry is of another form.
    """
    if not isinstance(content, dict) or not isinstance(content.get(key), list):
        raise UserInputError(f"{name}: {key}: expected an object with this list")
    for index, entry in taken(content[key]):
        yield index, entry_as(schema, entry, f"{name}: {key}[{index}].")


def taken(entries: list[Any]) -> Iterator[tuple[int, Any]]:
    """Give number and content of each entry of a list, which forgets it: entries may be large."""
    for index in range(len(entries)):
        entry, entries[index] = entries[index], None
        yield index, entry


def entry_as(schema: type[Schema], entry: Any, place: str) -> Schema:
    """Return an entry in the form of a schema; its whole numbers may be written as ``160.0``.

    Raises:
        UserInputError: It is of another form; the message begins with ``place`` and the field.
    """
    if isinstance(entry, dict):
        entry = {key: whole_number(value) for key, value in entry.items()}
    try:
        return msgspec.convert(entry, schema)
    except (msgspec.ValidationError, UnicodeEncodeError) as error:  # the latter of half a character
        problem, _, path = str(error).replace("`", "").partition(" - at $")
        problem = problem[0].lower() + problem[1:]
        if missing := re.search(r"missing required field (\w+)", problem):
            problem, path = "missing", f".{missing[1]}"
        field = f"{place}{path[1:]}" if path else place.rstrip(".: ")
        raise UserInputError(f"{field}: {problem}") from error


def known_video(
    entry: AnnotationEntry | ResultEntry,
    videos: Mapping[Any, Item],
    categories: Collection[Any],
    name: str,
    place: str,
) -> Item:
    """Return the video of an entry, whose ids have to be known.

    Args:
        entry: The entry.
        videos: The videos by id.
        categories: The ids of the categories.
        name: The file of these, for messages.
        place: The entry, for messages.
    """
    for key, known in (("category_id", categories), ("video_id", videos)):
        value = getattr(entry, key)
        if value not in known:
            kind = "categories" if key == "category_id" else "videos"
            known_id = f"an id of {kind} in {name}, such as {next(iter(known), None)!r}"
            raise UserInputError(f"{place}{key}: expected {known_id}, got {value!r}")
    return videos[entry.video_id]
