"""When a file was born."""

import os

import pytest

from logpith.files.birth import birth_ns


def born(path):
    with path.open("rb") as file:
        return birth_ns(file.fileno())


def test_a_file_with_the_inode_of_another_was_born_later(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"a")
    first = born(path), path.stat().st_ino
    if not first[0]:
        pytest.skip("this file system tells no time of birth")
    while (born(path), path.stat().st_ino) == first:  # older systems count in ticks of some milliseconds
        path.unlink()
        path.write_bytes(b"b")

    assert born(path) >= first[0]
    assert (born(path), path.stat().st_ino) != first


def test_renaming_and_writing_do_not_change_it(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"a")
    first = born(path)
    with path.open("ab") as file:
        file.write(b"more")
    os.utime(path, ns=(0, 0))

    assert born(path.rename(tmp_path / "other")) == first


def test_it_is_about_when_the_file_was_made(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"")

    assert abs(born(path) - path.stat().st_ctime_ns) < 60 * 10**9 or born(path) == 0
