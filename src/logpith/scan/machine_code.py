"""Machine code: what a kernel was compiled to, kept in a file and called without numba.

numba is a compiler. To load it takes a quarter of a second and tens of megabytes, and code that was compiled before
needs none of it: LLVM links the object (`llvmlite`), and `ctypes` calls it the way that numba's own code calls a
function. That way is numba's calling convention (`numba/core/callconv.py`, `numba/core/datamodel/models.py`):

    int status = function(result *, void **error, arguments…)

A number is one argument; an array is seven and more: two pointers that stay empty where nobody counts references,
how many items, bytes of an item, its address, and the lengths and the strides of its dimensions.
"""

from __future__ import annotations

import ctypes
import struct
import threading
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any
from zlib import crc32

import msgspec
import numpy as np

_MAGIC = b"LPMC1\n"
_NUMBERS = {
    "l": ctypes.c_long,
    "L": ctypes.c_ulong,
    "q": ctypes.c_longlong,
    "Q": ctypes.c_ulonglong,
    "i": ctypes.c_int32,
    "I": ctypes.c_uint32,
    "h": ctypes.c_int16,
    "H": ctypes.c_uint16,
    "b": ctypes.c_int8,
    "B": ctypes.c_uint8,
    "?": ctypes.c_uint8,
    "d": ctypes.c_double,
    "f": ctypes.c_float,
}
_LARGEST_SIGNED = 2**63 - 1

Kind = tuple[object, ...] | str
"""What of an argument the compiled code depends on: a letter for a number, more for an array."""


class MachineCode(msgspec.Struct, frozen=True, array_like=True):
    """A function as it was compiled for some kinds of arguments."""

    symbol: str
    result: str
    """A letter for each number that it gives back, as `struct` and numpy have them."""

    is_tuple: bool
    octets: bytes
    """An object file, all that it calls in it."""


def spell(code: MachineCode) -> bytes:
    """As it is kept."""
    body = msgspec.msgpack.encode(code)
    return _MAGIC + crc32(body).to_bytes(4, "little") + body


def parse(data: bytes) -> MachineCode | None:
    """What was kept; None where it is damaged."""
    start = len(_MAGIC) + 4
    body = data[start:]
    if data[:start] != _MAGIC + crc32(body).to_bytes(4, "little"):
        return None
    return msgspec.msgpack.decode(body, type=MachineCode)


def take_apart(arguments: Sequence[Any]) -> tuple[tuple[Kind, ...], list[Any]]:
    """(kinds, what is handed over) of the arguments of a kernel."""
    kinds: list[Kind] = []
    handed: list[Any] = []
    for argument in arguments:
        if isinstance(argument, np.ndarray):
            told = argument.__array_interface__
            address, is_read_only = told["data"]
            shape, strides, size = told["shape"], told["strides"], argument.itemsize
            kinds.append((told["typestr"], len(shape), is_read_only, strides is None, address % size == 0))
            if strides is None and len(shape) == 1:
                handed += (0, 0, shape[0], size, address, shape[0], size)
            else:
                handed += (0, 0, argument.size, size, address, *shape, *argument.strides)
        elif isinstance(argument, np.generic):
            kinds.append(argument.dtype.char)
            handed.append(argument.item())
        elif isinstance(argument, bool):
            kinds.append("?")
            handed.append(argument)
        elif isinstance(argument, int):
            kinds.append("q" if argument <= _LARGEST_SIGNED else "Q")
            handed.append(argument)
        elif isinstance(argument, float):
            kinds.append("d")
            handed.append(argument)
        else:
            raise TypeError(f"a kernel takes arrays and numbers, not {type(argument).__name__}")
    return tuple(kinds), handed


def linked(code: MachineCode, kinds: Sequence[Kind]) -> Callable[[Sequence[Any]], Any]:
    """The function that calls the code with what `take_apart` hands over."""
    handed: list[Any] = [ctypes.c_void_p, ctypes.c_void_p]
    for kind in kinds:
        if isinstance(kind, str):
            handed.append(_NUMBERS[kind])
        else:
            dimensions: Any = kind[1]
            handed += [ctypes.c_int64] * (5 + 2 * dimensions)
    function = ctypes.CFUNCTYPE(ctypes.c_int32, *handed)(_address(code))
    result = struct.Struct(f"@{code.result}")
    places = ctypes.c_char * max(result.size, 8)

    def call(arguments: Sequence[Any]) -> Any:
        given, error = places(), places()
        if function(given, error, *arguments):
            raise RuntimeError(f"{code.symbol} has failed")
        if not code.result:
            return None
        found = result.unpack_from(given)
        return found if code.is_tuple else found[0]

    return call


@cache
def machine() -> str:
    """The processor that code is compiled for, and by what: other code may not run here."""
    llvm = _llvm()
    features = llvm.get_host_cpu_features().flatten()
    return f"{llvm.llvm_version_info} {llvm.get_process_triple()} {llvm.get_host_cpu_name()} {features}"


_linking = threading.Lock()


def _address(code: MachineCode) -> int:
    with _linking:
        llvm, engine = _llvm(), _engine()
        engine.add_object_file(llvm.ObjectFileRef.from_data(code.octets))
        engine.finalize_object()
        address: int = engine.get_function_address(code.symbol)
    if not address:
        raise RuntimeError(f"{code.symbol} is not in its object file")
    return address


@cache
def _engine() -> Any:
    llvm = _llvm()
    target = llvm.Target.from_triple(llvm.get_process_triple()).create_target_machine(jit=True)
    nothing = llvm.parse_assembly("")
    nothing.triple = llvm.get_process_triple()
    return llvm.create_mcjit_compiler(nothing, target)


@cache
def _llvm() -> Any:
    import llvmlite.binding as llvm  # noqa: PLC0415  loaded by the first kernel that runs

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm
