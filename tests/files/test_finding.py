"""Finding: names, globs and folders."""

import os

import pytest

from logpith.files.finding import find_files
from logpith.files.roots import Roots
from logpith_emit.errors import NotFound, OutsideRoots, Refused


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "logs" / "deep").mkdir(parents=True)
    for name in ("logs/b.log", "logs/a.log", "logs/deep/c.log", "logs/.hidden", "other.txt"):
        (tmp_path / name).write_text("x\n")
    return tmp_path


def names(found, folder):
    return [str(path.relative_to(folder)) for path in found.paths]


def test_a_folder_means_all_files_below_but_hidden_ones(folder):
    found = find_files([str(folder / "logs")], Roots())

    assert names(found, folder) == ["logs/a.log", "logs/b.log", "logs/deep/c.log"]
    assert not found.named


def test_a_glob_means_what_it_matches_and_a_name_itself(folder):
    found = find_files([str(folder / "logs" / "*.log"), str(folder / "other.txt")], Roots())

    assert names(found, folder) == ["logs/a.log", "logs/b.log", "other.txt"]
    assert found.named == {folder / "other.txt"}


def test_a_file_that_is_named_twice_is_read_once(folder):
    found = find_files([str(folder / "logs"), str(folder / "logs" / "a.log")], Roots())

    assert len(found.paths) == 3


def test_no_names_mean_the_roots(folder):
    assert len(find_files([], Roots.of([folder])).paths) == 4


def test_a_name_is_looked_for_in_the_roots(folder):
    found = find_files(["a.log"], Roots.of([folder / "logs"]))

    assert names(found, folder) == ["logs/a.log"]


def test_nothing_found_is_told(folder):
    with pytest.raises(NotFound, match="no file matches"):
        find_files([str(folder / "*.nothing")], Roots())
    (folder / "empty").mkdir()
    with pytest.raises(NotFound, match="no file in"):
        find_files([str(folder / "empty")], Roots())


def test_a_name_that_no_file_can_have_is_told(folder):
    for roots in (Roots(), Roots.of([folder])):
        with pytest.raises(NotFound, match="cannot be a file's"):
            find_files(["\ud800"], roots)


def test_a_folder_or_glob_outside_the_roots_is_refused(folder):
    for name in ("..", "../*", str(folder), "/etc"):
        with pytest.raises(OutsideRoots):
            find_files([name], Roots.of([folder / "logs"]))


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read everything")
def test_a_folder_that_may_not_be_read_is_skipped_with_its_reason(folder):
    (folder / "logs" / "deep").chmod(0)
    try:
        found = find_files([str(folder / "logs")], Roots())
    finally:
        (folder / "logs" / "deep").chmod(0o755)

    assert names(found, folder) == ["logs/a.log", "logs/b.log"]
    assert "permission denied" in found.skipped[0]


def test_a_link_to_a_folder_above_is_not_walked_in_circles(tmp_path):
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "up").symlink_to("..")
        (tmp_path / name / "app.log").write_text("x\n")

    found = find_files([str(tmp_path / "**" / "*")], Roots())

    assert found.paths == tuple(tmp_path / name / "app.log" for name in ("a", "b", "c"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may search every folder")
def test_a_file_in_a_folder_that_may_not_be_searched_is_left_to_be_told_when_it_is_opened(folder):
    (folder / "logs").chmod(0)
    try:
        found = find_files([str(folder / "logs" / "a.log")], Roots())
        with pytest.raises(Refused, match="may not be read by this user"):
            Roots().open(found.paths[0])
    finally:
        (folder / "logs").chmod(0o755)


def test_of_a_spool_only_what_programs_have_said_is_read(folder):
    for name in ("1-2-00000001.spool", "far.place", "far.lock", "far.shipped", "far.dead.ndjson"):
        (folder / "logs" / "deep" / name).write_text("x\n")
    (folder / "logs" / "birth.place").write_text("a log of somebody's\n")

    found = find_files([str(folder / "logs")], Roots())

    assert {name.rpartition("/")[2] for name in names(found, folder)} == {
        *("a.log", "b.log", "c.log", "birth.place"),
        *("1-2-00000001.spool", "far.dead.ndjson"),
    }
