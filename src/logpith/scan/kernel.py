"""Kernels: functions that numba compiles to machine code, once for each machine.

The compiled code is kept in our cache folder (`machine_code.py`), from where it is called without numba; that is loaded
only to compile. numba keeps what it made too, so that kernels which call each other are not compiled twice. It checks
that a function's own file has not changed since, but not the files of the functions that it calls; so the folder is
named after the text of everything in `scan/`, and a change anywhere in it begins an empty one. Where that folder cannot
be written, kernels are compiled anew by each process.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import sys
import threading
from collections.abc import Callable, Sequence
from functools import cache, cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar, cast

from logpith.config import cache_dir
from logpith.scan.machine_code import Kind, MachineCode, linked, machine, parse, spell, take_apart

_PACKAGE = "logpith."
_SUFFIX = ".code"
_KEPT_VERSIONS = 4
_LEAST_ROOM = 64 * 2**20
"""What must be free before kernels are kept, several times what they take: numba fails where the disk fills up."""

Function = TypeVar("Function", bound=Callable[..., Any])


@cache
def kernel_folder() -> Path:
    """Where the code compiled from these sources, by this numba and this Python, is kept."""
    digest = hashlib.blake2b(digest_size=8)
    digest.update(f"{_numba_version()} {sys.implementation.cache_tag}".encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return cache_dir() / "kernels" / digest.hexdigest()


def _numba_version() -> str:
    """The name of its distribution's folder: numba need not be loaded to tell."""
    spec = find_spec("numba")
    home = Path(spec.origin).parents[1] if spec is not None and spec.origin else Path()
    return ",".join(sorted(path.name for path in home.glob("numba-*.dist-info")))


@cache
def _can_keep() -> bool:
    """Whether compiled code can be kept."""
    folder = kernel_folder()
    try:
        if not folder.exists():
            _forget_old(folder.parent)
        folder.mkdir(parents=True, exist_ok=True)
        room = shutil.disk_usage(folder).free
    except OSError:
        return False
    return os.access(folder, os.W_OK) and (room >= _LEAST_ROOM or any(folder.glob(f"*{_SUFFIX}")))


def _forget_old(home: Path) -> None:
    """Removes what earlier versions compiled, but for the last few: somebody may run two versions side by side."""
    folders = sorted(home.iterdir(), key=lambda path: path.stat().st_mtime_ns) if home.is_dir() else []
    for folder in folders[: -_KEPT_VERSIONS + 1]:
        shutil.rmtree(folder, ignore_errors=True)


def is_compiled() -> bool:
    """Whether kernels were compiled and kept before, so that the first question need not wait for them."""
    return _can_keep() and any(kernel_folder().glob(f"*{_SUFFIX}"))


def is_compiling() -> bool:
    """Whether a kernel is being compiled in this process now."""
    return _compiling.locked()


_UNCHECKED: Any = {"error_model": "numpy", "boundscheck": False, "_nrt": False}
_OTHER_INSIDE = (AttributeError, ImportError, KeyError, OSError, RuntimeError, TypeError, ValueError)


class _Kernel:
    """A kernel. Its code is looked for when it is called with some kinds of arguments for the first time."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._linked: dict[tuple[Kind, ...], Callable[[Sequence[Any]], Any] | None] = {}
        self._linking = threading.Lock()

    def __call__(self, *arguments: Any) -> Any:
        kinds, handed = take_apart(arguments)
        if kinds not in self._linked:
            with self._linking:
                if kinds not in self._linked:
                    self._linked[kinds] = self._link(kinds, arguments)
        run = self._linked[kinds]
        return self._by_numba(*arguments) if run is None else run(handed)

    def _link(
        self, kinds: tuple[Kind, ...], arguments: Sequence[Any]
    ) -> Callable[[Sequence[Any]], Any] | None:
        """What calls its code; None where this numba does not let it be taken out, or it does not run here. Then numba
        calls it, which takes longer to load."""
        try:
            return linked(self._code(kinds, arguments), kinds)
        except _OTHER_INSIDE:
            return None

    def _code(self, kinds: tuple[Kind, ...], arguments: Sequence[Any]) -> MachineCode:
        function = self._function
        name = f"{function.__module__}.{function.__qualname__}-{_digest(function, kinds)}"
        path = kernel_folder() / f"{name}{_SUFFIX}"
        if _can_keep():
            with contextlib.suppress(OSError):
                kept = parse(path.read_bytes())
                if kept is not None:
                    return kept
        with _compiling:
            code = _compiled(self._dispatcher, arguments)
        if _can_keep():
            with contextlib.suppress(OSError):
                beside = path.with_name(f"{path.name}.{os.getpid()}")
                beside.write_bytes(spell(code))
                beside.replace(path)
        return code

    @cached_property
    def _dispatcher(self) -> Any:
        """The function as numba has it."""
        import numba  # noqa: PLC0415  only who compiles needs it

        if _can_keep():
            numba.config.CACHE_DIR = str(kernel_folder())  # type: ignore[attr-defined]  # made at run time
        # Python never calls them by numba's way: they need no wrappers. numba's types do not know these options.
        options: Any = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
        return numba.njit(nogil=True, cache=_can_keep(), **_UNCHECKED, **options)(self._function)

    @cached_property
    def _by_numba(self) -> Any:
        """The function as numba calls it, where its code cannot be taken out."""
        import numba  # noqa: PLC0415  as above

        return numba.njit(nogil=True, cache=_can_keep(), **_UNCHECKED)(self._function)

    @property
    def _numba_type_(self) -> Any:
        """What numba takes it for where a kernel calls it."""
        from numba import types  # noqa: PLC0415  only who compiles needs it

        return types.Dispatcher(self._dispatcher)

    @property
    def kinds(self) -> frozenset[tuple[Kind, ...]]:
        """The kinds of arguments that its code is loaded for."""
        return frozenset(self._linked)


_compiling = threading.Lock()


def _digest(function: Callable[..., Any], kinds: tuple[Kind, ...]) -> str:
    # The folder's name tells all of `scan/`, and a kernel of a test is somewhere else.
    body = function.__code__.co_code, function.__code__.co_names, function.__code__.co_consts
    return hashlib.blake2b(f"{body} {kinds} {machine()}".encode(), digest_size=8).hexdigest()


def _compiled(dispatcher: Any, arguments: Sequence[Any]) -> MachineCode:
    """What numba makes of a function for such arguments."""
    signature = tuple(_type_of(argument) for argument in arguments)
    dispatcher.compile(signature)
    made = dispatcher.overloads[signature]
    module = made.library._get_module_for_linking().clone()
    entry = made.fndesc.llvm_func_name
    for function in module.functions:
        if function.is_declaration and not function.name.startswith("llvm."):
            raise RuntimeError(f"{entry} calls {function.name}, which is not in it")
        # Several kernels have the same small ones in them.
        if not function.is_declaration:
            function.linkage = "external" if function.name == entry else "internal"
    results = _results(made.fndesc.restype)
    octets = made.library._codegen._tm.emit_object(module)
    return MachineCode(entry, "".join(results or ()), isinstance(results, list), octets)


def _type_of(argument: Any) -> Any:
    """What numba takes an argument for."""
    import numba  # noqa: PLC0415  only who compiles needs it

    told: Any = numba.typeof(argument)  # type: ignore[no-untyped-call]  # numba's
    is_array = isinstance(told, numba.types.Array)
    # `take_apart` tells those apart that stand without gaps, and no others.
    return told.copy(layout="A") if is_array and told.layout == "F" else told


def _results(told: Any) -> tuple[str, ...] | list[str]:
    """A letter for each number of a result: a list where it is a tuple."""
    from numba import types  # noqa: PLC0415  only who compiles needs it
    from numba.np.numpy_support import as_dtype  # noqa: PLC0415  as above

    if told == types.none:
        return ()
    if hasattr(told, "types"):
        return [as_dtype(one).char for one in told.types]
    return (as_dtype(told).char,)


def kernel(function: Function) -> Function:
    """`function`, compiled when it is called for the first time.

    It must not make arrays: its callers bring them. In return nobody counts references to them (`_nrt`), which took
    half of the time of reading a log: an atomic step for each array at each call that is not put in line. It takes
    arrays and numbers, and gives back nothing, a number or a tuple of them.
    """
    made: Any = _Kernel(function)
    return cast("Function", made)


def loaded() -> frozenset[tuple[str, tuple[Kind, ...]]]:
    """The kernels, each with the kinds of arguments, whose code is loaded in this process."""
    return frozenset(
        (value._function.__qualname__, kinds)
        for name, module in list(sys.modules.items())
        if name.startswith(_PACKAGE) and module is not None
        for value in vars(module).values()
        if isinstance(value, _Kernel)
        for kinds in value.kinds
    )
