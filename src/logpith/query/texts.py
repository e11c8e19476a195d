"""Many texts of one buffer as Arrow has them, where they stand: asked in one call, or told apart in one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def texts_and_gaps(buf: NDArray[np.uint8], starts: NDArray[np.int64], ends: NDArray[np.int64]) -> Any:
    """The texts `buf[start:end]` in order, as an Arrow array of bytes; between each two is what stands there."""
    import numpy as np  # noqa: PLC0415  front doors stay light: only who asks many texts pays for Arrow
    import pyarrow as pa  # noqa: PLC0415  as above

    borders = np.empty(2 * len(starts) + 1, np.int64)
    borders[:-1:2] = starts
    borders[1::2] = ends
    borders[-1] = ends[-1] if len(ends) else 0
    return pa.Array.from_buffers(
        pa.large_binary(), len(borders) - 1, [None, pa.py_buffer(borders), pa.py_buffer(buf)]
    )


def texts_alone(buf: NDArray[np.uint8], starts: NDArray[np.int64], ends: NDArray[np.int64]) -> Any:
    """The same without what stands between them."""
    import numpy as np  # noqa: PLC0415  as above

    return texts_and_gaps(buf, starts, ends).take(np.arange(0, 2 * len(starts), 2))


def distinct_texts(
    buf: NDArray[np.uint8], starts: NDArray[np.int64], ends: NDArray[np.int64]
) -> tuple[NDArray[np.int32], list[bytes]]:
    """(places, texts): each distinct text once, and for each text its place among them."""
    texts = texts_alone(buf, starts, ends).dictionary_encode()
    return texts.indices.to_numpy(), texts.dictionary.to_pylist()
