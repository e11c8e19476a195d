"""The fields that a record's text holds, whatever its format: what a query and every stage see of a text."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from logpith.formats import access, klog, logfmt, syslog, w3c, wrappers
from logpith.formats.own import fields_of as fields_of_own
from logpith.scan.colours import without_colours
from logpith.scan.records import OwnFormat

# key=value and key="value with blanks", as logfmt and many plain logs write them.
_PAIR = re.compile(r'(?:^|[\s,;(\[{])([A-Za-z_@][\w.@/-]{0,63})=(?:"((?:[^"\\]|\\.)*)"|([^\s,;)\]}"]*))')


def fields_of_record(text: str, own: tuple[OwnFormat, ...], columns: tuple[str, ...]) -> Mapping[str, object]:
    """The fields of a record of a source in which a user's formats were met, or columns named by a header line."""
    text = without_colours(text)
    fields = fields_of_own(text, own) if own else None
    if fields is None and columns:
        fields = w3c.fields_of_columns(text, columns)
    return fields_in(text) if fields is None else fields


def fields_in(text: str) -> Mapping[str, object]:
    """The fields that a record's text holds, by name: those of a wrapper too, the ones of the line inside first."""
    unwrapped = _unwrapped(text)
    return _fields_alone(text) if unwrapped is None else unwrapped


def fields_if_wrapped(text: str) -> Mapping[str, object] | None:
    """The same of a text with fields that only the reader of its format finds; None of any other."""
    unwrapped = _unwrapped(text)
    if unwrapped is not None:
        return unwrapped
    is_read = access.fields_of(text) is not None or klog.fields_of(text) is not None
    return _fields_alone(text) if is_read else None


HEADS = "|".join((wrappers.HEADS, syslog.HEADS, access.HEADS, klog.HEADS))
"""What every text begins with that is wrapped and no JSON, for RE2 and bytes; others may too."""


def _unwrapped(text: str) -> Mapping[str, object] | None:
    for unwrap in (wrappers.unwrap, syslog.unwrap):
        unwrapped = unwrap(text)
        if unwrapped is not None:
            outer, inner = unwrapped
            inside = _fields_alone(inner)
            # What names the program is the wrapper; its own name for it stays beside it.
            return {**outer, **{key: value for key, value in inside.items() if key not in outer}}
    return None


def _fields_alone(text: str) -> Mapping[str, object]:
    """The keys and values of a JSON object, of an access log, of pairs; or the text and the pairs within it."""
    if text.lstrip().startswith("{"):
        try:
            fields = json.loads(text.strip().removesuffix(","))
        except (ValueError, RecursionError):
            fields = None
        if isinstance(fields, dict):
            return _without_marks(fields) if "short_message" in fields else fields
    for fields_of in (access.fields_of, klog.fields_of, logfmt.fields_of):
        told = fields_of(text)
        if told is not None:
            return told
    pairs = {key: quoted or bare for key, quoted, bare in _PAIR.findall(text)}
    return {**pairs, "message": text}


def _without_marks(fields: Mapping[str, object]) -> Mapping[str, object]:
    """The fields of GELF, where what a program adds begins with `_`."""
    plain = {key.removeprefix("_"): value for key, value in fields.items() if key.startswith("_")}
    return {**plain, **fields}
