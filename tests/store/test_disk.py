"""What is said of a disk that cannot be written."""

import errno
import os
from pathlib import Path

import pytest

from logpith.store.disk import full_disk_told, opening_told
from logpith_emit.errors import Refused, Unavailable

FOLDER = Path("/data/store")


def fails(number):
    raise OSError(number, os.strerror(number))


@pytest.mark.parametrize("told", [full_disk_told, opening_told])
def test_a_full_disk_is_told_with_the_folder_and_what_to_do(told):
    with pytest.raises(Unavailable) as wrong, told(FOLDER):
        fails(errno.ENOSPC)

    assert wrong.value.problem == f"the store {FOLDER} cannot be written: No space left on device"
    for remedy in ("Free some space", "another folder", "retention"):
        assert remedy in wrong.value.remedy


def test_a_folder_that_cannot_be_opened_is_told_and_only_then():
    with (
        pytest.raises(Refused, match="store cannot be made or written: Permission denied"),
        opening_told(FOLDER),
    ):
        fails(errno.EACCES)
    with pytest.raises(PermissionError), full_disk_told(FOLDER):
        fails(errno.EACCES)
