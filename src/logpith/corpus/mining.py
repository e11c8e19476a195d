"""Mined templates, remembered: the same table of shapes is mined once, whichever process asks."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from logpith.corpus import cache
from logpith.corpus.index import version
from logpith.templates.canonical import WILDCARD, canonical
from logpith.templates.ids import Named, TemplateIds
from logpith.templates.mine import Template, Templates, mine
from logpith.templates.shapes import ShapeTable

_KIND = "templates"
_MOST_KEPT = 500
_DIGEST_BYTES = 16


@dataclass(frozen=True)
class Mined:
    """The templates of a table of shapes."""

    templates: Templates
    shape_texts: tuple[str, ...]
    """Each shape's own text, `<*>` for each value: the template as it was before it met others."""


class _Kept(msgspec.Struct, frozen=True):
    templates: list[Template]
    shape_texts: list[str]
    hashes: list[int]
    """Of the shapes, by their places."""


def mined(table: ShapeTable) -> Mined:
    """The templates of a table's records."""
    key = _key(table)
    kept = _read(key)
    if kept is not None:
        return Mined(
            Templates(tuple(kept.templates), _of_shape(kept.templates, table)), tuple(kept.shape_texts)
        )
    made = _mine(table)
    body = msgspec.msgpack.encode(
        _Kept(list(made.templates.templates), list(made.shape_texts), table.hashes.tolist())
    )
    cache.write_note(_KIND, key, _digest(body) + body, _MOST_KEPT)
    return made


def place_of_former(prefix: str, table: ShapeTable, templates: Templates) -> int | None:
    """The template that holds most of what an id beginning so stood for, in any corpus mined here before.

    More lines may make two templates one, or change the words of one and so its id. Nobody who was shown an id
    shall be left with nothing.
    """
    for key in cache.notes(_KIND):
        kept = _read(key)
        former = [one for one in kept.templates if one.id.startswith(prefix)] if kept else []
        if kept is None or len(former) != 1:
            continue
        named = Named(former[0].text, frozenset(kept.hashes[place] for place in former[0].shapes))
        if named.shapes.isdisjoint(table.hashes.tolist()):
            continue
        book, renamed = TemplateIds({former[0].id: named}).after(table, templates)
        now = book.resolve(former[0].id)
        return next((place for place, one in enumerate(renamed.templates) if one.id == now), None)
    return None


def _mine(table: ShapeTable) -> Mined:
    return Mined(mine(table), tuple(_shape_text(samples[0]) for samples in table.samples))


def _shape_text(body: bytes) -> str:
    form = canonical(body)
    words = ("<*>" if word == WILDCARD else word for word in form.words)
    parts = [delimiter + word for delimiter, word in zip(form.delimiters, words, strict=False)]
    return "".join([*parts, form.delimiters[-1]]).strip()


def _read(key: str) -> _Kept | None:
    data = cache.read_note(_KIND, key)
    body = data[_DIGEST_BYTES:]
    if not body or _digest(body) != data[:_DIGEST_BYTES]:
        return None
    try:
        return msgspec.msgpack.decode(body, type=_Kept)
    except msgspec.MsgspecError:
        return None


def _of_shape(templates: Sequence[Template], table: ShapeTable) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    of_shape = np.full(len(table), -1, np.int32)
    for place, template in enumerate(templates):
        of_shape[list(template.shapes)] = place
    return of_shape


def _key(table: ShapeTable) -> str:
    digest = hashlib.blake2b(version().encode(), digest_size=8)
    digest.update(table.hashes.tobytes())
    digest.update(table.counts.tobytes())
    for values in table.value_hashes:
        digest.update(repr(values).encode())
    return digest.hexdigest()


def _digest(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=_DIGEST_BYTES).digest()
