"""Reading a spool and keeping one's place."""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping, Sequence
from dataclasses import astuple
from typing import TYPE_CHECKING

from logpith_emit.errors import BadArgument
from logpith_emit.spool.frames import DROPPED_KIND, Damage, Frame
from logpith_emit.spool.place import SUFFIX, Place, load_places, place_files, save_places
from logpith_emit.spool.room import NO_SPACE
from logpith_emit.spool.segment import Segment

if TYPE_CHECKING:
    from logpith_emit.spool import Spool


class SpoolReader:
    """Reads every record of every writer: in order within each, one writer after another.

    `commit` saves how far it is. What was read after the last commit is read again by the next reader of the same name,
    so who must not do a thing twice keeps (segment.writer, frame.sequence). A spool may have readers of several names,
    one of each at a time: a file goes once all are done with it that have ever committed.
    """

    def __init__(self, spool: Spool, name: str) -> None:
        if not re.fullmatch(r"[A-Za-z0-9_.-]+", name):
            raise BadArgument(
                f"{name!r} is no name for a reader", remedy="Use letters, digits, '_', '-' and '.'"
            )
        self.spool = spool
        self.damage = Damage()
        """What could not be read."""
        self.files_set_aside = 0
        """Files that were kept aside because something in them could not be read."""
        self._path = spool.folder / f"{name}{SUFFIX}"
        self._places, is_good = load_places(spool, self._path)
        if not is_good:  # what was read before is then read again
            self.damage.places += 1
        has_saved = self._path.name in spool.disk.names(spool.folder)
        self._saved = dict(self._places) if has_saved else None
        self._damaged: set[Segment] = set()
        self._perhaps_empty: set[Segment] = set()

    @property
    def position(self) -> dict[str, list[int]]:
        """How far it is, for who keeps that elsewhere, too."""
        return {writer: list(astuple(place)) for writer, place in self._places.items()}

    def go_to(self, position: Mapping[str, Sequence[int]]) -> None:
        """Reads on from there, whatever was committed; what is no longer there is passed over."""
        self._places = {writer: Place(*numbers) for writer, numbers in position.items()}

    def read(self) -> Generator[tuple[Segment, Frame], None, None]:
        """What is there and was not read yet; it ends where the writers are now."""
        stop_at = ""
        for segment in self.spool.segments():
            place = self._places.get(segment.writer, Place())
            if segment.writer == stop_at or segment.number < place.number:
                continue
            if segment.number > place.number:
                place = Place(segment.number, 0, place.sequence)
            is_growing = self.spool.is_growing(segment)
            damage = Damage()
            given = place.sequence if segment.after is not None else 0
            try:
                for frame in self.spool.read(segment, place.offset, damage):
                    place = Place(
                        segment.number,
                        frame.end,
                        frame.sequence,
                        place.records + (frame.kind != DROPPED_KIND),
                    )
                    self._places[segment.writer] = place
                    if frame.sequence > given:
                        yield segment, frame
            finally:
                self.damage += damage
                if damage.is_worth_keeping:
                    self._damaged.add(segment)
            if is_growing:
                stop_at = segment.writer
                if not place.offset:
                    self._perhaps_empty.add(segment)
            else:
                self._places[segment.writer] = Place(segment.number + 1, 0, place.sequence)

    def commit(self) -> None:
        """Says that what was read is done: saves the place, durably, then removes the files that every reader has read
        to their end. Damaged ones are kept aside. Files wait for a reader from its first commit on.

        Raises:
            OSError: the place is not saved, or files are still there; call it again.
        """
        try:
            self._save()
            self._clear()
        except OSError as error:
            if error.errno not in NO_SPACE:
                raise
            self._clear()  # which makes room for the place
            self._save()
        writers = {one.writer for one in self.spool.segments()}
        self._places = {writer: place for writer, place in self._places.items() if writer in writers}

    def _save(self) -> None:
        if self._saved is None:
            self.spool.disk.make_folder(self.spool.folder)
        if self._places != self._saved:
            save_places(self.spool, self._path, self._places)
            self._saved = dict(self._places)

    def _clear(self) -> None:
        """Takes away the files that are read to their end by all."""
        done = [
            one for one in self.spool.segments() if one.number < self._places.get(one.writer, Place()).number
        ]
        if done:
            others = [
                load_places(self.spool, path)[0] for path in place_files(self.spool) if path != self._path
            ]
            done = [
                one for one in done if all(one.number < of.get(one.writer, Place()).number for of in others)
            ]
        for segment in self._damaged.intersection(done):
            self.spool.set_aside(segment)
            self.files_set_aside += 1
        self.spool.remove(*(one for one in done if one not in self._damaged))
        self._damaged.difference_update(done)
        # What a writer left that ended before it wrote anything. One that is just beginning takes another.
        for segment in self._perhaps_empty:
            self.spool.disk.remove_unclaimed(segment.path, only_empty=True)
        self._perhaps_empty.clear()
