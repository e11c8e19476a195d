"""Syslog: RFC 5424, RFC 3164, and the lines that syslog daemons write to files.

A file written by a daemon has no priority; RFC 3164 has no year and no zone (the year is settled by the
file's last change, the zone is UTC unless told otherwise).
"""

from logpith.formats import Layout

_TIME = "%b_%d %H:%M:%S%f"
_TIME_WITH_YEAR = "%b_%d %Y %H:%M:%S%f"
_ISO_TIME = "%Y-%m-%dT%H:%M:%S%f%z"


def _layout(name: str, head: str, tail: str, weight: int, number: int = 3164) -> Layout:
    """A layout that falls back to its head alone ("last message repeated 3 times" names no program)."""
    return Layout(
        name,
        head + tail,
        moves=False,
        headed=False,
        format=f"syslog {number}",
        falls_back_to=head if tail else "",
        weight=weight,
    )


LAYOUTS = (
    _layout("RFC 5424", f"%P1 {_ISO_TIME}", "_*_%V_*_*_%D%.", 30, number=5424),
    _layout("RFC 3164", f"%P{_TIME}", "_*_%N%.", 30),
    _layout("RFC 3164 without host", f"%P{_TIME}", "_%N%.", 25),
    _layout("RFC 3164 without program", f"%P{_TIME}", "", 20),
    _layout("RFC 3164 with ISO 8601 time", f"%P{_ISO_TIME}", "_*_%N%.", 30),
    _layout("RFC 3164 with ISO 8601 time, without program", f"%P{_ISO_TIME}", "", 20),
    _layout("RFC 5424 without header", f"%P1 {_ISO_TIME}", "", 10, number=5424),
    _layout("syslog file", _TIME, "_*_%N%.", 20),
    _layout("syslog file with year", _TIME_WITH_YEAR, "_*_%N%.", 20),
    _layout("syslog file with ISO 8601 time", _ISO_TIME, "_*_%N%.", 20),
)
