"""Roots: nothing outside of them is ever opened, whatever its name pretends."""

import os
from pathlib import Path

import pytest

from logpith.files import roots as roots_module
from logpith.files.roots import Roots
from logpith_emit.errors import NotFound, OutsideRoots, Refused


@pytest.fixture(params=["kernel", "fallback"])
def confined(request, tmp_path, monkeypatch):
    """Roots of one folder with `inside.log`, beside `secret.log`; resolved by the kernel and without it."""
    if request.param == "fallback":
        monkeypatch.setattr(roots_module, "_kernel_resolves", lambda: False)
    elif not roots_module._kernel_resolves():
        pytest.skip("this kernel has no openat2")
    (tmp_path / "root" / "deep").mkdir(parents=True)
    (tmp_path / "root" / "inside.log").write_text("inside\n")
    (tmp_path / "root" / "deep" / "er.log").write_text("deeper\n")
    (tmp_path / "secret.log").write_text("secret\n")
    return tmp_path, Roots.of([tmp_path / "root"])


def content(roots, path):
    descriptor = roots.open(path)
    try:
        return os.read(descriptor, 100)
    finally:
        os.close(descriptor)


def test_a_file_inside_is_opened_by_any_of_its_names(confined):
    folder, roots = confined
    (folder / "root" / "link.log").symlink_to("inside.log")

    assert content(roots, folder / "root" / "inside.log") == b"inside\n"
    assert content(roots, folder / "root" / "deep" / ".." / "inside.log") == b"inside\n"
    assert content(roots, folder / "root" / "link.log") == b"inside\n"
    assert content(roots, folder / "root" / "deep" / "er.log") == b"deeper\n"


def test_a_path_that_leads_out_is_refused(confined):
    folder, roots = confined
    (folder / "root" / "escape.log").symlink_to(folder / "secret.log")
    (folder / "root" / "parent").symlink_to(folder)
    (folder / "root" / "relative.log").symlink_to("../secret.log")

    for path in (
        folder / "secret.log",
        folder / "root" / ".." / "secret.log",
        folder / "root" / "escape.log",
        folder / "root" / "parent" / "secret.log",
        folder / "root" / "relative.log",
    ):
        with pytest.raises(OutsideRoots, match="root"):
            roots.open(path)


def test_a_root_reached_through_a_link_is_the_same_root(confined):
    folder, roots = confined
    (folder / "alias").symlink_to(folder / "root")

    assert content(roots, folder / "alias" / "inside.log") == b"inside\n"


def test_a_missing_file_is_told_with_the_nearest_name(confined):
    folder, roots = confined

    with pytest.raises(NotFound, match=r"inside\.log"):
        roots.open(folder / "root" / "insde.log")


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read everything")
def test_a_file_that_may_not_be_read_is_refused(confined):
    folder, roots = confined
    (folder / "root" / "inside.log").chmod(0)

    with pytest.raises(Refused, match="permissions"):
        roots.open(folder / "root" / "inside.log")


def test_roots_must_be_folders(tmp_path):
    with pytest.raises(NotFound, match="folder"):
        Roots.of([tmp_path / "nowhere"])


def test_a_link_to_itself_is_told_as_such_where_nothing_is_confined(tmp_path):
    (tmp_path / "loop").symlink_to("loop")

    with pytest.raises(Refused, match="leads to itself"):
        Roots().open(tmp_path / "loop")


def test_a_link_to_nothing_is_told_with_what_it_points_to(tmp_path):
    (tmp_path / "current.log").symlink_to("app.7.log")

    with pytest.raises(NotFound, match=r"current\.log is a link to app\.7\.log, which is not there"):
        Roots().open(tmp_path / "current.log")
    with pytest.raises(NotFound, match=r"current\.log is a link to app\.7\.log, which is not there"):
        Roots.of([tmp_path]).open(Path("current.log"))
