import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mmttsrn.errors import UserInputError
from mmttsrn.formats import json_stream
from mmttsrn.formats.json_stream import read_json

# Strings with what could be taken for structure.
texts = st.text(st.sampled_from('ab{}[]"\\,:$é\n'), max_size=8)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.just(0.5), texts),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(values, st.integers(2, 60), st.sampled_from([None, 1]))
def test_content_is_that_of_the_file(
    tmp_path: Path, value: Any, block: int, indent: int | None
) -> None:
    path = tmp_path / "file.json"
    path.write_text(json.dumps(value, indent=indent))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_stream, "BLOCK_BYTES", block)
        assert read_json(path, lambda entry: entry) == value


@pytest.mark.parametrize("text", ["[{}, {}]", '{"info": {}, "videos": [{}, {}]}', '["}", {}, {}]'])
def test_entries_are_transformed(tmp_path: Path, text: str) -> None:
    path = tmp_path / "file.json"
    path.write_text(text)
    changed = json.dumps(read_json(path, lambda entry: "seen"))
    assert changed == text.replace("{}", '"seen"')


def test_entries_are_transformed_as_soon_as_they_are_read(tmp_path: Path, monkeypatch) -> None:
    """The file is never held as a whole."""
    monkeypatch.setattr(json_stream, "BLOCK_BYTES", 100)
    path = tmp_path / "file.json"
    path.write_text(json.dumps([{"text": "x" * 50} for _ in range(100)]))
    pieces = []
    original = json_stream._split
    monkeypatch.setattr(
        json_stream,
        "_split",
        lambda file: (pieces.append(len(piece[0])) or piece for piece in original(file)),
    )
    assert len(read_json(path, lambda entry: None)) == 100
    assert max(pieces) < 100


def test_nan_is_read_as_python_writes_it(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    path.write_text('[{"score": NaN}]')
    [entry] = read_json(path, lambda entry: entry)
    assert entry["score"] != entry["score"]


def test_missing_files_and_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserInputError, match=r"none\.json: No such file"):
        read_json(tmp_path / "none.json", lambda entry: entry)
    with pytest.raises(UserInputError, match=f"^{tmp_path}: Is a directory"):
        read_json(tmp_path, lambda entry: entry)
