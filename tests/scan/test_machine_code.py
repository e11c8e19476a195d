"""Machine code: kernels give the same as Python, whatever they are called with; without numba once they are kept."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logpith.scan import kernel as kernels
from logpith.scan.kernel import kernel
from logpith.scan.machine_code import MachineCode, parse, spell, take_apart

_CODE = MachineCode("a_symbol", "lL?", True, b"\x7fELF and more")


@kernel
def _nothing(out, value):
    out[0] = value


@kernel
def _doubled(value):
    return value * 2


@kernel
def _several(byte, number, share, flag):
    return byte > 3, number + 1, share / 2, flag, np.uint64(2**64 - 1)


@kernel
def _weighted(values):
    total = 0
    for row in range(values.shape[0]):
        for column in range(values.shape[1]):
            total += values[row, column] * (10 * row + column)
    return total


@kernel
def _sum(values):
    total = 0
    for place in range(values.shape[0]):
        total += _doubled(values[place])
    return total


def test_a_kernel_without_a_result_gives_none_and_writes_what_it_shall():
    out = np.zeros(1, np.uint64)

    assert _nothing(out, np.uint64(2**63 + 5)) is None
    assert out[0] == 2**63 + 5


def test_numbers_keep_their_type_on_the_way_out():
    found = _several(np.uint8(200), -(2**62), 3.0, True)

    assert found == (True, -(2**62) + 1, 1.5, True, 2**64 - 1)
    assert list(map(type, found)) == [bool, int, float, bool, int]


@given(st.integers(-(2**62), 2**62 - 1))
def test_a_whole_number_is_handed_over_whole(number):
    assert _doubled(number) == number * 2


@pytest.mark.parametrize(
    "values",
    [
        np.arange(6).reshape(2, 3),
        np.arange(6).reshape(3, 2).T,
        np.arange(24).reshape(4, 6)[::2, ::2],
        np.arange(6, dtype=np.uint8).reshape(2, 3),
        np.frombuffer(bytes(range(49)), np.int64, offset=1).reshape(2, 3) % 1000,
        np.frombuffer(b"x" + np.arange(6).tobytes(), np.int64, offset=1).reshape(2, 3),
        np.empty((0, 3), np.int64),
    ],
    ids=["rows", "columns", "with gaps", "bytes", "copied", "unaligned and read only", "empty"],
)
def test_arrays_are_read_however_they_lie_in_memory(values):
    expected = sum(
        int(values[row, column]) * (10 * row + column) for row in range(len(values)) for column in range(3)
    )

    assert _weighted(values) == expected


def test_kernels_call_each_other():
    assert _sum(np.arange(10)) == 90


@pytest.mark.parametrize("argument", ["text", None, [1], (1, 2)])
def test_other_things_than_arrays_and_numbers_are_refused(argument):
    with pytest.raises(TypeError, match="arrays and numbers"):
        _doubled(argument)


def test_what_code_depends_on_tells_arrays_apart():
    array = np.arange(4)
    read_only = array.copy()
    read_only.flags.writeable = False
    alike = [array, read_only, array[::2], array.reshape(2, 2), array.astype(np.int32)]

    kinds = [take_apart([one])[0] for one in alike]

    assert len(set(kinds)) == len(alike)
    assert kinds[0] == take_apart([np.arange(9)])[0]


@given(st.binary(max_size=100), st.data())
def test_kept_code_is_read_back_or_known_to_be_damaged(octets, data):
    code = MachineCode("a_symbol", "lL?", True, octets)
    kept = spell(code)
    place = data.draw(st.integers(0, len(kept) - 1))
    bit = data.draw(st.integers(0, 7))
    damaged = bytearray(kept)
    damaged[place] ^= 1 << bit

    assert parse(kept) == code
    assert parse(bytes(damaged)) is None
    assert parse(kept[:place]) is None


_PROCESS = """
import sys
import numpy as np
from logpith.scan.words import split_words
print(split_words(b"disk 7 is full"), "numba" in sys.modules)
"""


def test_a_second_process_calls_what_the_first_has_compiled_without_numba(tmp_path):
    def run():
        done = subprocess.run(
            [sys.executable, "-c", _PROCESS],
            env={"LOGPITH_CACHE_DIR": str(tmp_path)},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.rsplit(maxsplit=1)

    first = run()
    second = run()
    for path in tmp_path.rglob("*.code"):
        path.write_bytes(path.read_bytes()[:-1])
    third = run()

    assert [first[1], second[1], third[1]] == ["True", "False", "True"]
    assert first[0] == second[0] == third[0]
    assert all(parse(path.read_bytes()) for path in tmp_path.rglob("*.code"))


def test_what_is_loaded_is_told():
    kernels_before = kernels.loaded()

    from logpith.scan.words import split_words

    split_words(b"a 1")

    assert {name for name, _ in kernels.loaded()} >= {name for name, _ in kernels_before} | {"walk"}


def test_code_that_cannot_be_taken_out_is_called_by_numba(monkeypatch):
    def refuse(_dispatcher, _arguments):
        raise AttributeError("this numba has no such thing")

    monkeypatch.setattr(kernels, "_compiled", refuse)
    monkeypatch.setattr(kernels, "_can_keep", lambda: False)

    @kernel
    def add_up(values, start):
        total = start
        for value in values:
            total += value
        return total

    assert add_up(np.arange(5), 7) == 17
    assert add_up(np.arange(4), 0) == 6
