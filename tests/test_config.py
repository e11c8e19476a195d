"""Where our own files are."""

from pathlib import Path

from logpith.config import cache_dir


def test_the_cache_is_where_it_is_named_or_where_the_system_keeps_caches(monkeypatch):
    monkeypatch.setenv("LOGPITH_CACHE_DIR", "/somewhere/else")
    assert cache_dir() == Path("/somewhere/else")

    monkeypatch.delenv("LOGPITH_CACHE_DIR")
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert cache_dir() == Path("/xdg/logpith")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/somebody")
    assert cache_dir() == Path("/home/somebody/.cache/logpith")
