"""What stands at the slots of a template in its records, and which slot or attribute tells most about them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logpith.corpus.bodies import bodies
from logpith.corpus.fields import read_fields
from logpith.corpus.masking import without_secrets
from logpith.corpus.selection import Selection
from logpith.corpus.view import fields_in
from logpith.query.fields import column_named, column_spelled
from logpith.templates.mine import Template
from logpith.templates.slots import slot_type
from logpith_emit.record import ID_KINDS, flat

FEW_VALUES = 20
"""Up to so many distinct values are kinds of something; more are rather names or measures."""

_SLOT = re.compile(r"<\*>")
_CUT = " …"
_SAMPLED_RECORDS = 200
_MOST_ATTRIBUTES = 30
_TYPED_VALUES = 50


@dataclass(frozen=True, kw_only=True)
class Split:
    """Records, by the value of one slot of their template or of one attribute."""

    name: str
    """Of an attribute, as it is written: log text. Empty for a slot."""

    slot: int
    """Which slot of the template it is, from 1 on; 0 for an attribute."""

    type: str
    """What the values are: `num`, `ip`… as `templates.slots` has it."""

    codes: NDArray[np.int32]
    """For each record the place of its value in `texts`; -1 where it has none."""

    texts: tuple[str, ...]
    """Distinct values: log text."""

    def shown_in(self, template: Template) -> str:
        """The template with this slot marked among the others; log text."""
        before, *rest = _SLOT.split(template.text)
        marks = [f"<value:{self.type}>" if place == self.slot else "<*>" for place in range(1, len(rest) + 1)]
        return before + "".join(mark + part for mark, part in zip(marks, rest, strict=True))


def telling_split(selection: Selection, template: Template) -> Split | None:
    """The records of a selection, which have one template, by its most telling slot; without slots by an attribute.

    None when their texts tell nothing but the template.
    """
    splits = _by_slots(selection, template) or _by_attributes(selection)
    return max(splits, key=lambda split: _telling(len(split.texts), len(selection)), default=None)


def _telling(distinct: int, records: int) -> tuple[int, int]:
    """Most telling are many values that are still few; least are those that are another for each record."""
    repeats = distinct * 2 <= records
    if 1 < distinct <= FEW_VALUES:
        return (4 if repeats else 2), distinct
    return (3 if repeats and distinct > 1 else 1 if distinct == 1 else 0), -distinct


def _by_slots(selection: Selection, template: Template) -> list[Split]:
    count = len(_SLOT.findall(template.text))
    if not count:
        return []
    match = _matcher(template.text)
    places: list[dict[bytes, int]] = [{} for _ in range(count)]
    codes = np.full((count, len(selection)), -1, np.int32)
    # Bodies come in the order of the records, one for each.
    for place, (_, body) in enumerate(bodies(selection.corpus, selection.records)):
        # The samples that templates are mined from hold no secrets.
        values = match(body) or match(without_secrets(body))
        for slot, value in enumerate(values or ()):
            if value:
                codes[slot, place] = places[slot].setdefault(value, len(places[slot]))
    return [
        _split("", slot + 1, codes[slot], [_text(value) for value in places[slot]]) for slot in range(count)
    ]


def _split(name: str, slot: int, codes: NDArray[np.int32], texts: Sequence[str]) -> Split:
    return Split(name=name, slot=slot, type=slot_type(texts[:_TYPED_VALUES]), codes=codes, texts=tuple(texts))


def _text(value: bytes) -> str:
    return value.decode("utf-8", "backslashreplace")


def _matcher(text: str) -> Any:
    """A function that gives the values at the slots of a template in a body, None for a body that reads otherwise.

    RE2 takes linear time however many slots there are. A blank of the template stands for several in a body.
    """
    import re2  # noqa: PLC0415  as in query/regex.py: only who asks for values pays for it

    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.dot_nl = True
    options.log_errors = False
    is_cut = text.endswith(_CUT)
    parts = [_spelled(part) for part in _SLOT.split(text.removesuffix(_CUT))]
    pattern = rb"[ \t]*" + rb"(.*?)".join(parts) + (rb".*" if is_cut else rb"[ \t\r]*")
    compiled = re2.compile(pattern, options)

    def values_in(body: bytes) -> Sequence[bytes] | None:
        found = compiled.fullmatch(body)
        return found.groups() if found else None

    return values_in


def _spelled(part: str) -> bytes:
    """A part between slots as RE2 reads it; what was no UTF-8 is U+FFFD in a template and may be any bytes."""
    written = re.escape(part).replace("\ufffd", "\0").encode("utf-8", "surrogatepass")
    return written.replace(b"\0", b".{1,4}").replace(b"\\ ", rb"[ \t]+")


def _by_attributes(selection: Selection) -> list[Split]:
    some = np.unique(
        np.linspace(0, len(selection) - 1, num=min(len(selection), _SAMPLED_RECORDS)).astype(np.int64)
    )
    names: dict[str, None] = {}
    for text in selection.corpus.texts(selection.records[some].tolist()):
        for name, value in flat(fields_in(text.decode("utf-8", "surrogateescape"))):
            if isinstance(value, str | int | float) and _is_attribute(name):
                names[name] = None
    fields = read_fields(selection, list(names)[:_MOST_ATTRIBUTES])
    return [_split(field.name, 0, field.codes, field.texts) for field in fields if field.texts]


def _is_attribute(name: str) -> bool:
    """Whether no column but one of the ids has its value."""
    column = column_named(name) or column_spelled(name)
    return column is None or column in ID_KINDS
