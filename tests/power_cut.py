"""A disk that cuts the power, for whatever touches the disk through `logpith_emit.disk.Disk`.

    def run(disk, acknowledged):                          the program: appends to `acknowledged` what it promised
        with Spool(folder=disk.root / "spool", disk=disk).open_durable() as writer:
            for number in range(3):
                writer.append(b"%d" % number)
                writer.sync()
                acknowledged.append(number)

    for cut in power_cuts(run):                           at every operation, every state the disk may be left in
        records = read(cut.disk, cut.disk.root / "spool")
        assert set(cut.acknowledged) <= set(records), cut

    assert needless_syncs(run, check) == []               taking out any one sync makes `check(cut)` fail

What the disk may be left in after a cut: of the bytes of a file that were not synced any part (the first writes, all
but one, the last one torn; zeros where a part is missing), and of the names that were not synced (created, renamed,
removed) any choice, a rename as a whole. `power_cuts` gives all of it where that is at most `states_per_cut`, else
nothing, everything and a sample that depends on `seed` alone.

`TestDisk` fails on purpose, too: `fail_syncs={3}` gives EIO at the third sync (from 1) and never makes durable what
that should have, as Linux does; `fail_writes` fails writes; `free_bytes` is what can be written before the disk is
full; `killed_before` ends a process. With `real=True` all is done in a real folder as well, for programs that open
paths themselves to read.
"""

from __future__ import annotations

import errno
import functools
import itertools
import math
import os
import random
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from logpith_emit.disk import Appending, Data, Disk, Reading

Acknowledged = list[object]
Run = Callable[["TestDisk", Acknowledged], object]


@dataclass(frozen=True)
class Cut:
    """The disk that is found after the power came back."""

    tree: Tree
    """What it holds."""

    folder: Path | None
    """Where that is put when `disk` is asked for; None for a disk in memory."""

    acknowledged: Acknowledged
    """What the program had promised by then."""

    at: int
    """How many operations were done; the next was in the middle."""

    during: str
    """The operation that was in the middle."""

    survived: str
    """What there is of that which was not synced."""

    @functools.cached_property
    def disk(self) -> TestDisk:
        """In memory, or with a folder of its own; files stand under `disk.root` by the names they had."""
        return TestDisk(self.folder, real=self.folder is not None, tree=self.tree)

    def __str__(self) -> str:
        return f"power cut {self.at}, during {self.during}; survived: {self.survived}"


def power_cuts(
    run: Run,
    *,
    root: Path | None = None,
    seed: int = 0,
    states_per_cut: int = 24,
    skip_sync: int | str | None = None,
    tree: Tree | None = None,
    **faults: object,
) -> Iterator[Cut]:
    """Runs a program once, then gives what the disk may hold had the power been cut at each of its operations.

    With `root`, an empty folder, the disk is real: the program works in `root/"run"`, and each cut has a folder beside
    it, for as long as its turn lasts. `tree` is what stands on the disk before. `skip_sync` and `faults` go to
    `TestDisk`.
    """
    place = root / "run" if root else None
    disk = TestDisk(place, real=root is not None, skip_sync=skip_sync, tree=tree, **faults)  # type: ignore[arg-type]  # as the docstring says
    acknowledged: Acknowledged = []
    disk.acknowledged = acknowledged
    run(disk, acknowledged)
    chance = random.Random(seed)
    model = _Model(tree)
    counter = itertools.count()
    for at, (operation, promised) in enumerate(
        [*disk.operations, (_Operation("nothing"), len(acknowledged))]
    ):
        if not operation.name.startswith("sync"):  # the power went before a sync had come to its end
            model.apply(operation)
        for choice in _choices(model, states_per_cut, chance):
            folder = root / f"cut-{next(counter)}" if root else None
            left = model.after(choice)
            yield Cut(left, folder, acknowledged[:promised], at, str(operation), choice.told(model))
            if folder:
                Disk().remove_folder(folder)
        if operation.name.startswith("sync"):
            model.apply(operation)


def sync_sites(run: Run, **faults: object) -> list[str]:
    """The lines of code that sync, in the order they first do."""
    disk = TestDisk(**faults)  # type: ignore[arg-type]  # as TestDisk says
    run(disk, disk.acknowledged)
    return list(dict.fromkeys(disk.syncs))


def needless_syncs(
    run: Run, check: Callable[[Cut], object], *, each_time: bool = False, **options: object
) -> list[int | str]:
    """The syncs that can be taken out and no cut breaks the promise, for which `check` raises.

    By line of code, `spool.py:620 _sync_unlocked`; with `each_time` by number, from 1, every time that one is done.
    """
    disk = TestDisk()
    run(disk, disk.acknowledged)
    syncs: list[int | str] = (
        list(range(1, len(disk.syncs) + 1)) if each_time else list(dict.fromkeys(disk.syncs))
    )
    return [sync for sync in syncs if not _is_noticed(run, check, sync, options)]


def _is_noticed(
    run: Run, check: Callable[[Cut], object], sync: int | str, options: dict[str, object]
) -> bool:
    for cut in power_cuts(run, skip_sync=sync, **options):  # type: ignore[arg-type]  # as power_cuts says
        try:
            check(cut)
        except Exception:  # noqa: BLE001  # a promise can break in any way
            return True
    return False


class Killed(BaseException):
    """The process is gone, and nothing of it touches the disk any more."""


class TestDisk(Disk):
    """A disk in memory, or in a real folder too, that writes down what is done to it."""

    __test__ = False  # pytest: no test, though its name begins so

    def __init__(
        self,
        root: Path | None = None,
        *,
        real: bool = False,
        tree: Tree | None = None,
        skip_sync: int | str | None = None,
        fail_syncs: frozenset[int] | set[int] = frozenset(),
        fail_writes: frozenset[int] | set[int] = frozenset(),
        free_bytes: int | None = None,
    ) -> None:
        self.root = root if root is not None else Path("/disk")
        self.acknowledged: Acknowledged = []
        self.operations: list[tuple[_Operation, int]] = []
        """What was done, each with how much was promised when it began."""
        self.syncs: list[str] = []
        """Who asked for each sync: file, line and function."""
        self.skip_sync = skip_sync
        """A sync that does nothing: which one, from 1, or who asks for it."""
        self.fail_syncs = fail_syncs
        """Syncs that fail, from 1."""
        self.fail_writes = fail_writes
        """Writes that fail, from 1."""
        self.free_bytes = free_bytes
        """How much can be written; None for any."""
        self._real = real
        self._writes = 0
        self._deadly = 0
        self._is_dead = False
        self._lock = threading.RLock()
        self._claims: dict[int, int] = {}
        self._model = _Model(tree or {})
        if real:
            self.root.mkdir(parents=True, exist_ok=True)
            for place, data in (tree or {}).items():
                if data is None:
                    (self.root / place).mkdir(parents=True, exist_ok=True)
            for place, data in (tree or {}).items():
                if data is not None:
                    (self.root / place).write_bytes(data)

    # ── what Disk promises ────────────────────────────────────────────────────────────────────────────────────

    def append_to(self, path: Path) -> Appending:
        with self._lock:
            place = self._place(path)
            if self._model.find(place) is None:
                self._do(_Operation("create", place))
            node = self._file(path)
            return _AppendingFile(self, node, super().append_to(path) if self._real else None)

    def write_new(self, path: Path, data: Data) -> None:
        if self._model.find(self._place(path)) is not None:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
        file = self.append_to(path)
        try:
            file.write(data)
            file.sync()
        finally:
            file.close()

    def read(self, path: Path) -> bytes:
        return super().read(path) if self._real else bytes(self._file(path).content)

    def reading(self, path: Path) -> Reading:
        return super().reading(path) if self._real else _ReadingFile(self._file(path))

    def size_bytes(self, path: Path) -> int:
        return super().size_bytes(path) if self._real else len(self._file(path).content)

    def is_claimed(self, path: Path) -> bool:
        return super().is_claimed(path) if self._real else bool(self._claims.get(self._file(path).number))

    def remove_unclaimed(self, path: Path, *, only_empty: bool = False) -> bool:
        with self._lock:
            try:
                if self.is_claimed(path) or (only_empty and self.size_bytes(path)):
                    return False
            except FileNotFoundError:
                return True
            self.remove(path)
            return True

    def names(self, folder: Path) -> list[str]:
        if folder in self.root.parents:  # all that we know of what is above
            return [self.root.relative_to(folder).parts[0]]
        node = self._model.find(self._place(folder))
        return sorted(node.names) if node is not None and node.is_folder else []

    def make_folder(self, path: Path) -> None:
        with self._lock:
            place = self._place(path)
            for one in (*reversed(place.parents), place):
                if self._model.find(one) is None:
                    self._do(_Operation("make_folder", one))
            if self._real:
                super().make_folder(path)

    def rename(self, old: Path, new: Path) -> None:
        with self._lock:
            self._node(old)
            self._do(_Operation("rename", self._place(old), self._place(new)))
            if self._real:
                super().rename(old, new)

    def remove(self, path: Path) -> None:
        with self._lock:
            node = self._model.find(self._place(path))
            if node is not None:
                self._free(len(node.content))
                self._do(_Operation("remove", self._place(path)))
            if self._real:
                super().remove(path)

    def remove_folder(self, path: Path) -> None:
        with self._lock:
            node = self._model.find(self._place(path))
            for name in sorted(node.names) if node is not None else ():
                inner = self._node(path / name)
                if inner.is_folder:
                    self.remove_folder(path / name)
                else:
                    self.remove(path / name)
            if node is not None:
                self._do(_Operation("remove", self._place(path)))
            if self._real:
                super().remove_folder(path)

    def truncate(self, path: Path, size_bytes: int) -> None:
        with self._lock:
            node = self._file(path)
            self._free(len(node.content) - size_bytes)
            self._do(_Operation("truncate", number=node.number, size=size_bytes))
            if self._real:
                super().truncate(path, size_bytes)

    def sync_folder(self, path: Path) -> None:
        with self._lock:
            if path in self.root.parents:  # the root itself is there for ever
                return
            self._node(path)
            if self._sync():
                self._do(_Operation("sync_folder", self._place(path)))

    @contextmanager
    def killed_before(self, sync: int) -> Iterator[None]:
        """A process that is killed before its `sync`th sync, from 1. The disk goes on: what the process wrote is seen
        by the next one, and not durable."""
        self._deadly = len(self.syncs) + sync
        try:
            with suppress(Killed):
                yield
        finally:
            self._deadly, self._is_dead = 0, False

    # ── the power ─────────────────────────────────────────────────────────────────────────────────────────────

    def after_cut(self, chance: random.Random) -> TestDisk:
        """The disk, in memory, after a power cut now: any one of what it may hold."""
        model = self._model
        choice = _Choice(
            tuple(chance.random() < 0.5 for _ in model.namings),
            tuple(chance.choice(_parts(node)) for node in model.unsure_files()),
        )
        return TestDisk(self.root, tree=model.after(choice))

    # ── how ───────────────────────────────────────────────────────────────────────────────────────────────────

    def write_to(self, node: _Node, data: Data) -> int:
        """Puts bytes behind a file's; how many found room."""
        with self._lock:
            self._writes += 1
            if self._writes in self.fail_writes:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            taken = bytes(data)
            if self.free_bytes is not None:
                taken = taken[: max(self.free_bytes, 0)]
                self.free_bytes -= len(taken)
            if taken:
                self._do(_Operation("write", number=node.number, size=len(node.content), data=taken))
            return len(taken)

    def sync_file(self, node: _Node) -> None:
        """Makes a file's bytes durable."""
        with self._lock:
            try:
                if self._sync():
                    self._do(_Operation("sync", number=node.number))
            except OSError:
                self._do(_Operation("failed sync", number=node.number))
                raise

    def claim(self, node: _Node, change: int) -> bool:
        """Counts who has claimed a file; whether it is still there."""
        with self._lock:
            self._claims[node.number] = self._claims.get(node.number, 0) + change
            return self._model.has_name(node)

    def _sync(self) -> bool:
        """Whether this sync is to be done."""
        site = _site()
        self.syncs.append(site)
        self._is_dead = self._is_dead or len(self.syncs) == self._deadly
        if self._is_dead:
            raise Killed
        if len(self.syncs) in self.fail_syncs:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return self.skip_sync not in (len(self.syncs), site)

    def _do(self, operation: _Operation) -> None:
        if self._is_dead:
            raise Killed
        self.operations.append((operation, len(self.acknowledged)))
        self._model.apply(operation)

    def _free(self, size_bytes: int) -> None:
        if self.free_bytes is not None:
            self.free_bytes += size_bytes

    def _place(self, path: Path) -> Path:
        return path.relative_to(self.root)

    def _node(self, path: Path) -> _Node:
        node = self._model.find(self._place(path))
        if node is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        return node

    def _file(self, path: Path) -> _Node:
        node = self._node(path)
        if node.is_folder:
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        return node


def _site() -> str:
    """Who called from outside of this file."""
    frame = sys._getframe(1)
    while frame.f_code.co_filename == __file__ and frame.f_back is not None:
        frame = frame.f_back
    return f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno} {frame.f_code.co_name}"


class _AppendingFile:
    def __init__(self, disk: TestDisk, node: _Node, real: Appending | None) -> None:
        self._disk = disk
        self._node = node
        self._real = real
        self._has_claimed = False
        self.size_bytes = len(node.content)

    def write(self, data: Data) -> None:
        taken = self._disk.write_to(self._node, data)
        self.size_bytes += taken
        if self._real is not None:
            self._real.write(bytes(data)[:taken])
        if taken < len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def sync(self) -> None:
        self._disk.sync_file(self._node)

    def claim(self) -> bool:
        self._has_claimed = True
        is_there = self._disk.claim(self._node, +1)
        return self._real.claim() if self._real is not None else is_there

    def close(self) -> None:
        if self._has_claimed:
            self._has_claimed = False
            self._disk.claim(self._node, -1)
        if self._real is not None:
            self._real.close()


class _ReadingFile:
    def __init__(self, node: _Node) -> None:
        self._node = node

    def size_bytes(self) -> int:
        return len(self._node.content)

    def read(self, offset: int, size_bytes: int) -> bytes:
        return bytes(self._node.content[offset : offset + size_bytes])

    def close(self) -> None:
        pass


# ── what a disk holds, and may hold after a cut ────────────────────────────────────────────────────────────────

Tree = dict[Path, bytes | None]
"""Files with their bytes, folders with None."""


@dataclass(frozen=True)
class _Operation:
    name: str
    place: Path | None = None
    new: Path | None = None
    number: int = 0
    size: int = 0
    data: bytes = b""

    def __str__(self) -> str:
        parts = [self.name, *(str(place) for place in (self.place, self.new) if place is not None)]
        if self.number:
            parts.append(f"file {self.number}")
        return " ".join(parts)


@dataclass(eq=False)
class _Change:
    """A write, or (without data) a truncation."""

    size: int
    data: bytes | None
    state: str = "unsynced"
    """unsynced, synced, or lost: a sync failed, so no later one makes it durable."""

    def apply(self, content: bytearray, part: int | None = None) -> None:
        if self.data is None:
            del content[self.size :]
            return
        data = self.data[:part]
        if len(content) < self.size and data:
            content.extend(bytes(self.size - len(content)))
        content[self.size : self.size + len(data)] = data


@dataclass(eq=False)
class _Node:
    number: int
    is_folder: bool
    content: bytearray = field(default_factory=bytearray)
    durable: bytes = b""
    changes: list[_Change] = field(default_factory=list)
    names: dict[str, _Node] = field(default_factory=dict)
    durable_names: dict[str, _Node] = field(default_factory=dict)

    @property
    def unsure(self) -> list[_Change]:
        return [change for change in self.changes if change.state != "synced"]


@dataclass(eq=False)
class _Naming:
    """Names that changed together."""

    text: str
    steps: list[tuple[_Node, str, _Node | None]]

    def apply(self, names: Callable[[_Node], dict[str, _Node]]) -> None:
        for folder, name, node in self.steps:
            if node is None:
                names(folder).pop(name, None)
            else:
                names(folder)[name] = node


class _Model:
    """Files and folders: as they are, and what of that is durable."""

    def __init__(self, tree: Tree | None = None) -> None:
        self._numbers = itertools.count(1)
        self.root = self._new(is_folder=True)
        self.files: dict[int, _Node] = {}
        self.namings: list[_Naming] = []
        for place, data in sorted((tree or {}).items()):
            parent = self.find(place.parent)
            assert parent is not None, place
            node = self._new(is_folder=data is None)
            node.content, node.durable = bytearray(data or b""), data or b""
            parent.names[place.name] = parent.durable_names[place.name] = node

    def _new(self, *, is_folder: bool) -> _Node:
        node = _Node(next(self._numbers), is_folder)
        if not is_folder:
            self.files[node.number] = node
        return node

    def find(self, place: Path) -> _Node | None:
        node: _Node | None = self.root
        for part in place.parts:
            node = node.names.get(part) if node is not None else None
        return node

    def has_name(self, node: _Node, folder: _Node | None = None) -> bool:
        return any(
            one is node or (one.is_folder and self.has_name(node, one))
            for one in (folder or self.root).names.values()
        )

    def apply(self, operation: _Operation) -> None:
        match operation.name:
            case "create" | "make_folder":
                assert operation.place is not None
                node = self._new(is_folder=operation.name == "make_folder")
                self._name(operation, [(self._parent(operation.place), operation.place.name, node)])
            case "rename":
                assert operation.place is not None
                assert operation.new is not None
                node = self._parent(operation.place).names[operation.place.name]
                old = (self._parent(operation.place), operation.place.name, None)
                self._name(operation, [old, (self._parent(operation.new), operation.new.name, node)])
            case "remove":
                assert operation.place is not None
                self._name(operation, [(self._parent(operation.place), operation.place.name, None)])
            case "write" | "truncate":
                node = self.files[operation.number]
                change = _Change(operation.size, operation.data if operation.name == "write" else None)
                change.apply(node.content)
                node.changes.append(change)
            case "sync":
                self._sync(self.files[operation.number])
            case "failed sync":
                for change in self.files[operation.number].unsure:
                    change.state = "lost"
            case "sync_folder":
                assert operation.place is not None
                folder = self.find(operation.place)
                done = [one for one in self.namings if any(step[0] is folder for step in one.steps)]
                for naming in done:
                    naming.apply(lambda node: node.durable_names)
                self.namings = [one for one in self.namings if one not in done]

    def _parent(self, place: Path) -> _Node:
        folder = self.find(place.parent)
        if folder is None or not folder.is_folder:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(place.parent))
        return folder

    def _name(self, operation: _Operation, steps: list[tuple[_Node, str, _Node | None]]) -> None:
        naming = _Naming(str(operation), steps)
        naming.apply(lambda node: node.names)
        self.namings.append(naming)

    def _sync(self, node: _Node) -> None:
        for change in node.changes:
            if change.state == "unsynced":
                change.state = "synced"
        if not node.unsure:
            node.durable = bytes(node.content)
            node.changes.clear()

    def unsure_files(self) -> list[_Node]:
        return [node for node in self.files.values() if node.unsure]

    def after(self, choice: _Choice) -> Tree:
        """What is there when just this survived."""
        names: dict[int, dict[str, _Node]] = {}

        def of(node: _Node) -> dict[str, _Node]:
            return names.setdefault(node.number, dict(node.durable_names))

        for naming, survived in zip(self.namings, choice.namings, strict=True):
            if survived:
                naming.apply(of)
        contents = dict(zip((node.number for node in self.unsure_files()), choice.contents, strict=True))
        tree: Tree = {}

        def walk(folder: _Node, place: Path) -> None:
            for name, node in of(folder).items():
                if node.is_folder:
                    tree[place / name] = None
                    walk(node, place / name)
                else:
                    tree[place / name] = _content(node, contents.get(node.number))

        walk(self.root, Path())
        return tree


Parts = tuple[int | None, ...]
"""Of each change of a file that is not durable: None for all of it, else how many bytes, 0 for nothing."""


def _content(node: _Node, parts: Parts | None) -> bytes:
    if parts is None:
        return node.durable if node.changes else bytes(node.content)
    content = bytearray(node.durable)
    left = iter(parts)
    for change in node.changes:
        part = None if change.state == "synced" else next(left)
        if part is None or (part > 0 and change.data is not None):
            change.apply(content, part)
    return bytes(content)


def _parts(node: _Node) -> list[Parts]:
    """What may survive of a file: nothing, all, the first writes, the last of these torn, all but one."""
    unsure = node.unsure
    many = len(unsure)
    found: dict[Parts, None] = {(0,) * many: None, (None,) * many: None}
    for kept in range(many):
        found[(None,) * kept + (0,) * (many - kept)] = None
        found[tuple(0 if at == kept else None for at in range(many))] = None
        if (half := len(unsure[kept].data or b"") // 2) > 0:
            found[(None,) * kept + (half,) + (0,) * (many - kept - 1)] = None
    return list(found)


@dataclass(frozen=True)
class _Choice:
    namings: tuple[bool, ...]
    contents: tuple[Parts, ...]

    def told(self, model: _Model) -> str:
        names = [one.text for one, survived in zip(model.namings, self.namings, strict=True) if survived]
        files = [
            f"file {node.number} {'all' if not any(part is not None for part in parts) else parts}"
            for node, parts in zip(model.unsure_files(), self.contents, strict=True)
        ]
        return ", ".join((*names, *files)) or "nothing"


def _choices(model: _Model, most: int, chance: random.Random) -> Iterator[_Choice]:
    """All that may survive, or nothing, everything and a sample."""
    files = [_parts(node) for node in model.unsure_files()]
    if math.prod((2 ** len(model.namings), *map(len, files))) <= most:
        for namings in itertools.product((False, True), repeat=len(model.namings)):
            for contents in itertools.product(*files):
                yield _Choice(namings, contents)
        return
    yield _Choice((False,) * len(model.namings), tuple(parts[0] for parts in files))
    yield _Choice((True,) * len(model.namings), tuple(parts[0] for parts in files))
    yield _Choice((True,) * len(model.namings), tuple(parts[1] for parts in files))
    for _ in range(most - 3):
        yield _Choice(
            tuple(chance.random() < 0.5 for _ in model.namings),
            tuple(chance.choice(parts) for parts in files),
        )
