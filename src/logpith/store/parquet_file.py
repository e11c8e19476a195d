"""A Parquet file of a segment, read in parts: some columns of some row groups, each verified when it is read first.

Parquet's own checksums leave out the heads of pages, so each column of each row group has one in `segment.json`, and so
has all that follows the last page. The file is mapped, so that it costs one handle and no reading of what is not asked.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, NoReturn
from zlib import crc32

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from logpith.meter import note_read
from logpith.store.segment_writer import Checksums, chunk_span, digest


class ParquetFile:
    """An open file; may be asked from several threads."""

    def __init__(
        self, octets: Callable[[], Any], checksums: Checksums | None, told: Callable[[str], NoReturn]
    ) -> None:
        self._map = octets
        self._checksums = checksums
        self._is_damaged = told
        self._local = threading.local()
        self._good_chunks: set[int] = set()

    def read(self, groups: Sequence[int], names: Sequence[str]) -> dict[str, Any]:
        """Some columns of some row groups, behind each other, as Arrow arrays."""
        places = [self.schema.get_field_index(name) for name in names]
        self._verify(groups, places)
        try:
            table = self._reader.read_row_groups(list(groups), columns=list(names), use_threads=False)
        except (OSError, pa.ArrowException) as error:
            self._is_damaged(str(error))
        if self._checksums is not None:
            note_read(int(self._chunk_bytes[np.ix_(groups, places)].sum()))
        return {name: _whole(table[name]) for name in names}

    @cached_property
    def metadata(self) -> Any:
        """What the footer says."""
        octets = memoryview(self._octets)
        if self._checksums is not None:
            footer = octets[max(0, len(octets) - self._checksums.footer_bytes) :]
            if digest(footer) != self._checksums.footer:
                self._is_damaged("")
        return pq.read_metadata(pa.BufferReader(octets))

    @cached_property
    def schema(self) -> Any:
        """The columns."""
        return self.metadata.schema.to_arrow_schema()

    @cached_property
    def _octets(self) -> Any:
        return self._map()

    @property
    def _reader(self) -> Any:
        """One a thread, since pyarrow's must not be shared."""
        reader = getattr(self._local, "reader", None)
        if reader is None:
            metadata = self.metadata
            reader = pq.ParquetFile(
                pa.BufferReader(memoryview(self._octets)), metadata=metadata, pre_buffer=False
            )
            self._local.reader = reader
        return reader

    def _verify(self, groups: Sequence[int], places: Sequence[int]) -> None:
        """Looks at the checksums of what is read for the first time."""
        if self._checksums is None:
            return
        width = self.metadata.num_columns
        for group in groups:
            for place in places:
                number = group * width + place
                if number in self._good_chunks:
                    continue
                told = int.from_bytes(self._checksums.chunks[4 * number : 4 * number + 4], "little")
                if crc32(memoryview(self._octets)[chunk_span(self.metadata, group, place)]) != told:
                    self._is_damaged(f"{self.schema.names[place]} of row group {group}")
                self._good_chunks.add(number)

    @cached_property
    def _chunk_bytes(self) -> NDArray[np.int64]:
        """For each row group and column how many bytes of the file it takes."""
        metadata = self.metadata
        sizes = [
            [chunk.column(place).total_compressed_size for place in range(metadata.num_columns)]
            for chunk in map(metadata.row_group, range(metadata.num_row_groups))
        ]
        return np.array(sizes, np.int64).reshape(metadata.num_row_groups, metadata.num_columns)


def _whole(column: Any) -> Any:
    """A chunked column as one array."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
