from pathlib import Path

from mmttsrn.formats.user_cache import cache_folder


def test_the_cache_is_where_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.delenv("MMTTSRN_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert cache_folder() == Path.home() / ".cache" / "mmttsrn"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "mmttsrn"
    monkeypatch.setenv("MMTTSRN_CACHE", str(tmp_path / "other"))
    assert cache_folder() == tmp_path / "other"
