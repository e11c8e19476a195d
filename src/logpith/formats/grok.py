"""Grok: named pieces of regular expressions, `%{IP:client} %{WORD:method}`, written out as one RE2 expression.

The names are those that Logstash made common; the expressions are our own, without look-around, which RE2 leaves out.
`%{NAME}` stands for the piece, `%{NAME:field}` also keeps what it matched as a field; the type that may follow
(`%{INT:size:int}`) is read and left out, since fields compare as numbers wherever they are written so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from logpith_emit.errors import BadArgument, nearest

_MOST_DEPTH = 32
_REFERENCE = re.compile(r"%\{(\w+)(?::([\w.@-]+))?(?::\w+)?\}")

PATTERNS: Mapping[str, str] = {
    "WORD": r"\b\w+\b",
    "NOTSPACE": r"\S+",
    "SPACE": r"\s*",
    "DATA": r".*?",
    "GREEDYDATA": r".*",
    "QUOTEDSTRING": r"""(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')""",
    "QS": r"%{QUOTEDSTRING}",
    "INT": r"[+-]?[0-9]+",
    "POSINT": r"\b[1-9][0-9]*\b",
    "NONNEGINT": r"\b[0-9]+\b",
    "NUMBER": r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?",
    "BASE10NUM": r"%{NUMBER}",
    "BASE16NUM": r"(?:0[xX])?[0-9A-Fa-f]+",
    "UUID": r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}",
    "USERNAME": r"[a-zA-Z0-9._-]+",
    "USER": r"%{USERNAME}",
    "EMAILLOCALPART": r"[a-zA-Z0-9!#$%&'*+/=?^_`{|}~.-]+",
    "EMAILADDRESS": r"%{EMAILLOCALPART}@%{HOSTNAME}",
    "IPV4": r"(?:(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])\.){3}(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])",
    "IPV6": r"(?:[0-9A-Fa-f]{0,4}:){2,7}(?:%{IPV4}|[0-9A-Fa-f]{0,4})(?:%[0-9A-Za-z]+)?",
    "IP": r"(?:%{IPV4}|%{IPV6})",
    "HOSTNAME": r"\b[0-9A-Za-z](?:[0-9A-Za-z_-]{0,62})(?:\.[0-9A-Za-z](?:[0-9A-Za-z_-]{0,62}))*\.?",
    "HOST": r"%{HOSTNAME}",
    "IPORHOST": r"(?:%{IP}|%{HOSTNAME})",
    "HOSTPORT": r"%{IPORHOST}:%{POSINT}",
    "MAC": r"(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}",
    "UNIXPATH": r"(?:/[^\s/]*)+",
    "WINPATH": r"(?:[A-Za-z]:|\\)(?:\\[^\\?*\s]*)+",
    "PATH": r"(?:%{UNIXPATH}|%{WINPATH})",
    "URIPROTO": r"[A-Za-z][A-Za-z0-9+.-]*",
    "URIHOST": r"%{IPORHOST}(?::%{POSINT})?",
    "URIPATH": r"(?:/[A-Za-z0-9$.+!*'(){},~:;=@#%&_-]*)+",
    "URIPARAM": r"\?\S*",
    "URIPATHPARAM": r"%{URIPATH}(?:%{URIPARAM})?",
    "URI": r"%{URIPROTO}://(?:%{USER}(?::[^@\s]*)?@)?%{URIHOST}?(?:%{URIPATHPARAM})?",
    "MONTH": r"\b(?:[Jj]an|[Ff]eb|[Mm]ar|[Aa]pr|[Mm]ay|[Jj]un|[Jj]ul|[Aa]ug|[Ss]ep|[Oo]ct|[Nn]ov|[Dd]ec)[a-z]*\b",
    "MONTHNUM": r"(?:0?[1-9]|1[0-2])",
    "MONTHDAY": r"(?:3[01]|[12][0-9]|0?[1-9])",
    "DAY": r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*",
    "YEAR": r"(?:[0-9]{4}|[0-9]{2})",
    "HOUR": r"(?:2[0-3]|[01]?[0-9])",
    "MINUTE": r"[0-5][0-9]",
    "SECOND": r"(?:[0-5]?[0-9]|60)(?:[:.,][0-9]+)?",
    "TIME": r"%{HOUR}:%{MINUTE}(?::%{SECOND})?",
    "ISO8601_TIMEZONE": r"(?:Z|[+-]%{HOUR}:?%{MINUTE})",
    "TZ": r"[A-Z]{3,4}",
    "DATE_US": r"%{MONTHNUM}[/-]%{MONTHDAY}[/-]%{YEAR}",
    "DATE_EU": r"%{MONTHDAY}[./-]%{MONTHNUM}[./-]%{YEAR}",
    "DATE": r"(?:%{DATE_US}|%{DATE_EU})",
    "DATESTAMP": r"%{DATE}[- ]%{TIME}",
    "TIMESTAMP_ISO8601": r"[0-9]{4}-%{MONTHNUM}-%{MONTHDAY}[T ]%{HOUR}:?%{MINUTE}(?::?%{SECOND})?%{ISO8601_TIMEZONE}?",
    "HTTPDATE": r"%{MONTHDAY}/%{MONTH}/%{YEAR}:%{TIME} %{INT}",
    "SYSLOGTIMESTAMP": r"%{MONTH} +%{MONTHDAY} %{TIME}",
    "SYSLOGHOST": r"%{IPORHOST}",
    "PROG": r"[!-Z\\^-~]+",
    "SYSLOGPROG": r"%{PROG:program}(?:\[%{POSINT:pid}\])?",
    "LOGLEVEL": r"(?i:trace|verbose|debug|info(?:rmation(?:al)?)?|notice|warn(?:ing)?|err(?:or)?|severe"
    r"|crit(?:ical)?|fatal|alert|panic|emerg(?:ency)?)",
    "HTTPDUSER": r"(?:%{EMAILADDRESS}|%{USER}|-)",
    "COMMONAPACHELOG": r"%{IPORHOST:client} %{HTTPDUSER:ident} %{HTTPDUSER:user} \[%{HTTPDATE:timestamp}\] "
    r'"(?:%{WORD:method} %{NOTSPACE:path}(?: HTTP/%{NUMBER:http_version})?|%{DATA:request})" '
    r"(?:-|%{NUMBER:status}) (?:-|%{NUMBER:size})",
    "COMBINEDAPACHELOG": r"%{COMMONAPACHELOG} %{QS:referer} %{QS:agent}",
}
"""The pieces that everybody may name."""


def written_out(grok: str, pieces: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """The RE2 expression, and the field of each of its groups: a field's name need not do for a group.

    Raises:
        BadArgument: a piece that nobody has defined, or pieces that name each other in a circle.
    """
    fields: dict[str, str] = {}
    return _written_out(grok, {**PATTERNS, **pieces}, fields, ()), fields


def _written_out(
    grok: str, pieces: Mapping[str, str], fields: dict[str, str], inside: tuple[str, ...]
) -> str:
    def piece(reference: re.Match[str]) -> str:
        name, field = reference.groups()
        if name not in pieces:
            raise BadArgument(
                f"no grok pattern is named '{name}'",
                remedy=nearest(name, pieces) or "Define it under [patterns]",
            )
        if name in inside or len(inside) > _MOST_DEPTH:
            raise BadArgument(
                f"the grok pattern '{name}' holds itself", remedy="Write it without its own name"
            )
        within = _written_out(pieces[name], pieces, fields, (*inside, name))
        if field is None:
            return f"(?:{within})"
        group = f"field{len(fields)}"
        fields[group] = field
        return f"(?P<{group}>{within})"

    return _REFERENCE.sub(piece, grok)
