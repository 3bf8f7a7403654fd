"""The table of released models in the documentation, written from the metafile."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmttsrn.checkpoints.fetching import is_remote
from mmttsrn.errors import UserInputError
from mmttsrn.formats.output_files import replace_file

BEGIN = "<!-- released models: written by tools/model_converters/publish_model.py -->"
END = "<!-- end of released models -->"
HEADER = ("model", "config", "parameters", "data", "metrics", "download")
NONE_YET = "No weights are released yet."


def update_table(page: Path, models: Sequence[Mapping[str, Any]], folder: Path) -> None:
    """Write the table between its two marks.

    Args:
        page: Markdown file that has the marks.
        models: Models of the metafile.
        folder: Folder of the metafile, which relative paths of weights start from.

    Raises:
        UserInputError: The page is missing or has no marks.
    """
    text = check_page(page)
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    table = f"{before}{BEGIN}\n\n{render_table(models, folder, page)}\n\n{END}{after}"
    replace_file(page, lambda draft: draft.write_text(table, encoding="utf-8"))


def check_page(page: Path) -> str:
    """Return the text of the page; refuse it without the marks between which the table stands."""
    if not page.is_file():
        raise UserInputError(f"{page}: there is no such page for the table of released models")
    text = page.read_text(encoding="utf-8")
    if not 0 <= text.find(BEGIN) < text.find(END):
        raise UserInputError(f"{page}: expected the lines {BEGIN} and {END}, in this order")
    return text


def render_table(models: Sequence[Mapping[str, Any]], folder: Path, page: Path) -> str:
    """Return the table in Markdown, with links from the page to files beside the metafile."""
    if not models:
        return NONE_YET
    rows = [HEADER, ("---",) * len(HEADER), *(_row(model, folder, page) for model in models)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _row(model: Mapping[str, Any], folder: Path, page: Path) -> tuple[str, ...]:
    metadata = model.get("Metadata") or {}
    results = model.get("Results") or []
    metrics = [f"{k} {v}" for result in results for k, v in result["Metrics"].items()]
    files = {"pth": model["Weights"], "safetensors": model.get("Safetensors")}
    links = [
        f"[{kind}]({place if is_remote(place) else os.path.relpath(folder / place, page.parent)})"
        for kind, place in files.items()
        if place
    ]
    return (
        f"`{model['Name']}`",
        f"`{model['Config']}`",
        f"{metadata['Parameters']:,}" if "Parameters" in metadata else "",
        str(metadata.get("Training Data", "")),
        ", ".join(metrics),
        ", ".join(links),
    )
