"""What is remembered: useful when it can be, never in the way when it cannot."""

import json
from pathlib import Path

import pytest

from logpith.corpus import cache


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("LOGPITH_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_a_path_is_found_by_its_key(folder):
    cache.remember_sources({"3f9a": Path("/var/log/a.log"), "c21b": Path("/var/log/b.log")})

    assert cache.paths_of("3f9a") == (Path("/var/log/a.log"),)
    assert cache.paths_of("0000") == ()


def test_two_paths_with_one_key_are_both_kept_newest_first(folder):
    cache.remember_sources({"3f9a": Path("/a.log")})
    cache.remember_sources({"3f9a": Path("/b.log")})

    assert cache.paths_of("3f9a") == (Path("/b.log"), Path("/a.log"))


@pytest.mark.parametrize("text", ["", "[]", "{", '{"3f9a": 5}', "\x00"])
def test_a_damaged_book_is_an_empty_one(folder, text):
    folder.mkdir()
    (folder / "sources.json").write_text(text)

    assert cache.paths_of("3f9a") == ()
    cache.remember_sources({"3f9a": Path("/a.log")})
    assert cache.paths_of("3f9a") == (Path("/a.log"),)


def test_the_book_stays_small(folder, monkeypatch):
    monkeypatch.setattr(cache, "_MOST_SOURCES", 10)

    cache.remember_sources({f"{i:04x}": Path(f"/{i}.log") for i in range(25)})

    assert len(json.loads((folder / "sources.json").read_text())) == 10


def test_a_cache_that_cannot_be_written_is_none(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("LOGPITH_CACHE_DIR", str(tmp_path / "file" / "cache"))

    cache.remember_sources({"3f9a": Path("/a.log")})

    assert cache.paths_of("3f9a") == ()


@pytest.mark.parametrize("book", ['{"k": [1]}', '{"k": []}', '{"k": [null]}', '{"k": "a"}', "[]", "no JSON"])
def test_a_damaged_book_of_sources_is_none(book, tmp_path, monkeypatch):
    monkeypatch.setenv("LOGPITH_CACHE_DIR", str(tmp_path))
    (tmp_path / "sources.json").write_text(book)

    assert cache.paths_of("k") == ()

    cache.remember_sources({"k": Path("/var/log/app.log")})

    assert cache.paths_of("k") == (Path("/var/log/app.log"),)
