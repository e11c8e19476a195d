"""Kernels: when compiled code is kept."""

import shutil

import pytest

from logpith.scan import kernel


@pytest.mark.parametrize(("free", "is_kept"), [(2**20, False), (2**30, True)])
def test_compiled_code_is_kept_only_where_there_is_room_for_it(tmp_path, monkeypatch, free, is_kept):
    monkeypatch.setattr(kernel, "kernel_folder", lambda: tmp_path)
    monkeypatch.setattr(
        shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(2**31, 2**31 - free, free)
    )

    assert kernel._can_keep.__wrapped__() is is_kept


def test_compiled_code_that_is_there_is_used_on_a_full_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(kernel, "kernel_folder", lambda: tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(2**31, 2**31, 0))
    (tmp_path / "made.code").touch()

    assert kernel._can_keep.__wrapped__()
