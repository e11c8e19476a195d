"""Elasticsearch and OpenSearch: a document for each record, written by `_bulk`.

What both of them understand is spoken, over HTTP. A record is created under its own id in the index of its own day, so
that one that comes again finds itself there, whenever that is; the server then says 409, which is as good as 201. An
answer of 200 says nothing of its items: each is read, for what is safe, what shall come again and what never will be
taken (https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-bulk).
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from re import fullmatch
from typing import Any, ClassVar, NoReturn

from logpith_emit.clock import SYSTEM_CLOCK
from logpith_emit.destinations import LiveDestination, Outgoing, Wanted, Written
from logpith_emit.encoding import encode
from logpith_emit.entry import LogEntry, entry_of, shown
from logpith_emit.errors import BadArgument, Refused, Unavailable
from logpith_emit.http import Answer, HttpClient, address_of
from logpith_emit.posting import PostedDestination
from logpith_emit.secret import Secret

MAPPING: Mapping[str, Mapping[str, object]] = {
    "correlation_id": {"type": "keyword"},
    "timestamp": {"type": "date"},
    "level": {"type": "keyword"},
    "log_type": {"type": "keyword"},
    "message": {"type": "text"},
    "tool_name": {"type": "keyword"},
    "duration_ms": {"type": "float"},
    "status": {"type": "keyword"},
    "input_args": {"type": "object", "enabled": False},
    "output_summary": {"type": "text"},
    "error_message": {"type": "text"},
    "module": {"type": "keyword"},
    "function": {"type": "keyword"},
    "line": {"type": "integer"},
    "thread_name": {"type": "keyword"},
    "process_id": {"type": "integer"},
    "extra_data": {"type": "object", "enabled": False},
}
"""How each field of an entry can be searched."""

MOST_BODY_BYTES = 9_000_000
"""What one `_bulk` has at most, if it is not of a single record. Servers take 100 MB, and those that are hired 10."""

MOST_ASKED = 10_000
"""How many documents one search gives at most."""

_SPARE = 50
"""How many documents are searched for besides, for those that are only near what is asked for."""

_PORT = 9200
_LOOPBACK = r"localhost|.+\.localhost|127(\.\d+){3}|\[::1\]"

_NAME = r"[a-z0-9][a-z0-9._+-]{0,199}"

# Servers bring templates of their own for logs-*-*, with priorities of 100 and 200. Of two of ours that fit one index,
# the one that says more of its name must come first: two of the same priority are refused.
_PRIORITY = 500

_NDJSON = {"Content-Type": "application/x-ndjson"}
_JSON = {"Content-Type": "application/json"}
_ITEM = "items.*."
_BULK = (
    f"/_bulk?filter_path={_ITEM}status,{_ITEM}error.type,{_ITEM}error.reason,{_ITEM}error.caused_by.reason"
)
_SEARCH = "_search?ignore_unavailable=true&allow_partial_search_results=false&filter_path=hits.hits._source"

# Lucene's longest term; of shorter texts the characters need not be counted in bytes.
_MOST_KEYWORD_BYTES = 32_766
_MOST_FLOAT = 3.4028234e38

_TOLD_BYTES = 300

# A login that may not, an index that may not be made, a full queue: all may be mended.
_MAY_BE_MENDED = frozenset({401, 403, 404, 408, 429})
_ALREADY_THERE = "version_conflict_engine_exception"
_TOO_MANY_SHARDS = "shards open"


@dataclass(frozen=True, kw_only=True)
class ElasticsearchDestination(PostedDestination):
    """Writes records to Elasticsearch 8 or 9 or OpenSearch, one index for each of their days (UTC) or a data stream.

    `extra_data` and `input_args` are kept as they are and cannot be searched. What does not fit the type of its field,
    such as a `status` of more than 32,766 bytes, stands in `extra_data`.
    """

    type: ClassVar[str] = "elasticsearch"
    can_query: ClassVar[bool] = True
    once: ClassVar[bool] = True

    hosts: tuple[str, ...] | str = ("localhost:9200",)
    """Servers of one cluster, as a list or with commas; where one cannot be reached, the next is asked. One without
    `http://` or `https://` is asked by HTTPS, and by HTTP if it is this machine."""

    index_prefix: str = "mcp-logs"
    """How the name of an index begins; behind it stands the day: `mcp-logs-2026.03.14`."""

    data_stream: str = ""
    """The data stream to write to, instead of an index for each day. It has its time in `@timestamp`, too. A record
    that comes again after it has rolled over is there twice."""

    template: bool = True
    """Whether to make the index template where it is missing, by the name of the indices and `-template`; one that is
    there is left as it is. Off for a login that may only write."""

    api_key: Secret = Secret("")  # noqa: RUF009 - a value that nobody can change
    """What logs in: as it is given out encoded, or `id:key`."""

    username: str = ""
    """Who logs in, without an API key."""

    password: Secret = Secret("")  # noqa: RUF009 - as above
    """Their password."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.urls:
            raise BadArgument("No host is named", remedy="Leave hosts out for its default")
        for name in ("index_prefix", "data_stream"):
            value = getattr(self, name)
            if not fullmatch(_NAME, value) and (value or name == "index_prefix"):
                raise BadArgument(
                    f"{name} {value!r} can be no part of an index's name",
                    remedy="Take small letters, digits, and . _ + - between them",
                )
        if self.api_key and (self.username or self.password):
            raise BadArgument("There are two logins", remedy="Leave out api_key, or username and password")
        addresses = [address_of(url) for url in self.urls]
        if any(address.query for address in addresses):
            raise BadArgument("A host has a ? in it", remedy="Write https://host:port")
        is_heard = any(address.scheme == "http" and not _is_here(address.netloc) for address in addresses)
        if self._login and is_heard and not self.insecure:
            raise BadArgument(
                "The login would be told to whoever listens", remedy="Write https://, or set insecure = true"
            )

    @property
    def urls(self) -> list[str]:
        """The addresses of the hosts."""
        given = self.hosts
        each = given.split(",") if isinstance(given, str) else given
        return [_url(host.strip()) for host in each if host.strip()]

    @property
    def template_name(self) -> str:
        """What the index template is called."""
        return f"{self.data_stream or self.index_prefix}-template"

    @property
    def index_template(self) -> Mapping[str, object]:
        """The index template: shards and replicas are one each by default."""
        pattern = self.data_stream or f"{self.index_prefix}-*"
        stamp = {"@timestamp": {"type": "date"}} if self.data_stream else {}
        return {
            "index_patterns": [pattern],
            "priority": _PRIORITY + len(pattern),
            "template": {"mappings": {"properties": {**stamp, **MAPPING}}},
            **({"data_stream": {}} if self.data_stream else {}),
        }

    @property
    def _login(self) -> dict[str, str]:
        if key := self.api_key.reveal():
            return {"Authorization": f"ApiKey {_in_base64(key) if ':' in key else key}"}
        if self.username:
            return {"Authorization": f"Basic {_in_base64(f'{self.username}:{self.password.reveal()}')}"}
        return {}

    @contextmanager
    def open(self) -> Iterator[LiveDestination]:
        with ExitStack() as opened:
            clients = [
                opened.enter_context(closing(self.client(url, {"Accept": "application/json", **self._login})))
                for url in self.urls
            ]
            yield _Elasticsearch(self, _Cluster(clients, self.timeout_s))


class _Cluster:
    """Servers, any of which will do; the one that answered last is asked first."""

    def __init__(self, clients: Iterable[HttpClient], timeout_s: float) -> None:
        self._clients = deque(clients)
        self._timeout_ns = int(timeout_s * 1e9)

    @property
    def shown(self) -> str:
        """The address of the one that answered last, as it may be told."""
        return self._clients[0].shown

    def ask(self, question: Callable[[HttpClient], Answer]) -> Answer:
        """What the first of them answers that does.

        Raises:
            Unavailable: none of them, or none in time.
            Refused: it never will.
        """
        until_ns = SYSTEM_CLOCK.monotonic_ns() + self._timeout_ns
        left = len(self._clients)
        while True:
            try:
                return question(self._clients[0])
            except Unavailable:
                self._clients.rotate(-1)
                left -= 1
                if not left or SYSTEM_CLOCK.monotonic_ns() >= until_ns:
                    raise


class _Elasticsearch:
    def __init__(self, settings: ElasticsearchDestination, cluster: _Cluster) -> None:
        self._settings = settings
        self._cluster = cluster

    # ── writing ───────────────────────────────────────────────────────────────────────────────────────────────

    def write(self, records: Sequence[Outgoing]) -> Written:
        # Each time: an index that is made without its template keeps for ever what the server guesses.
        if self._settings.template:
            self._see_to_template()
        results: dict[str, _Result] = {}
        for ids, body in self._bodies(records):
            results.update(zip(ids, self._results(body, len(ids)), strict=True))
        again = {known: one.reason for known, one in results.items() if one.may_be_mended}
        refused = {
            known: one.reason for known, one in results.items() if one.reason and not one.may_be_mended
        }
        if not again:
            return Written(refused=refused)
        are_all = len(again) == len(results)
        what = "takes no records" if are_all else f"does not take {len(again)} of {len(results)} records"
        why = Unavailable(
            f"{self._cluster.shown} {what} now: {next(iter(again.values()))}", remedy="See to that server"
        )
        if are_all:
            raise why
        return Written(refused=refused, again=frozenset(again), why_again=why)

    def _see_to_template(self) -> None:
        """Makes the index template if it is missing.

        Raises:
            Unavailable: it cannot be made, or not be asked for.
        """
        name = self._settings.template_name
        path = f"/_index_template/{name}"
        answer = self._cluster.ask(lambda client: client.request("HEAD", path, also=(403, 404)))
        if answer.status == 404:
            body = json.dumps(self._settings.index_template).encode()
            answer = self._cluster.ask(
                lambda client: client.request("PUT", path, body, _JSON, also=(400, 403))
            )
        if answer.status >= 400:  # which is no fault of the records
            raise Unavailable(
                f"{self._cluster.shown} refuses to make {name}, or to tell of it: {answer.status} {_said(answer)}",
                remedy="Make that index template yourself, or set template = false",
            )

    def _bodies(self, records: Sequence[Outgoing]) -> Iterator[tuple[list[str], bytes]]:
        """What is sent at once, and the ids of the records in it."""
        ids: list[str] = []
        lines: list[bytes] = []
        size_bytes = 0
        for record in records:
            line = self._lines(record)
            if lines and size_bytes + len(line) > MOST_BODY_BYTES:
                yield ids, b"".join(lines)
                ids, lines, size_bytes = [], [], 0
            ids.append(record.id)
            lines.append(line)
            size_bytes += len(line)
        yield ids, b"".join(lines)

    def _lines(self, record: Outgoing) -> bytes:
        """What is to be done with a record, and the record."""
        document = document_of(record.entry)
        stamp = document["timestamp"]
        if self._settings.data_stream:
            document["@timestamp"] = stamp
            index = self._settings.data_stream
        else:
            index = f"{self._settings.index_prefix}-{stamp[:10].replace('-', '.')}"
        action = encode({"create": {"_index": index, "_id": record.id}})
        return action + b"\n" + encode(document) + b"\n"

    def _results(self, body: bytes, count: int) -> list[_Result]:
        """What became of each of the records in a body."""
        answer = self._cluster.ask(
            lambda client: client.post(body, _BULK, _NDJSON, compressed=self._settings.gzip)
        )
        results = self._read(answer, lambda told: [_result(item["create"]) for item in told["items"]])
        if len(results) != count:
            self._raise_odd(answer, None)
        return results

    # ── asking ────────────────────────────────────────────────────────────────────────────────────────────────

    def query(self, wanted: Wanted) -> list[LogEntry]:
        """What was written shows once it is searchable, which is within a second if nobody has said otherwise."""
        if wanted.limit > MOST_ASKED:
            raise Refused(
                f"A search gives {MOST_ASKED} records at most", remedy="Ask for fewer, by since and until"
            )
        if wanted.limit < 1 or not all(
            value is None or _fits(name, value) for name, value in wanted.equal.items()
        ):
            return []
        size = min(wanted.limit + _SPARE, MOST_ASKED)
        while True:
            entries = [entry_of_document(document) for document in self._search(wanted, size)]
            found = [entry for entry in entries if wanted.fits(entry)]
            found = sorted(found, key=lambda entry: entry.timestamp, reverse=True)[: wanted.limit]
            is_full = len(found) == wanted.limit
            # Of one millisecond the server gives any first. What is older than that of the last one is no newer.
            if len(entries) < size or (is_full and _millisecond(entries[-1]) < _millisecond(found[-1])):
                return found
            if size == MOST_ASKED:
                if is_full:
                    return found
                raise Refused(
                    f"{MOST_ASKED} records look like what is asked for, and few are",
                    remedy="Narrow it by since and until",
                )
            size = min(size * 10, MOST_ASKED)

    def _search(self, wanted: Wanted, size: int) -> list[Mapping[str, Any]]:
        """The newest documents that may be what is asked for: all that are, and some that are near it."""
        prefix = self._settings.index_prefix
        # Not what only begins with ours: a longer prefix, or a data stream.
        where = self._settings.data_stream or f"{prefix}-*.*.*,-{prefix}-*-*"
        body = {
            "size": size,
            "query": {"bool": _clauses(wanted)},
            "sort": [{"timestamp": {"order": "desc", "unmapped_type": "date"}}],
            "track_total_hits": False,
        }
        answer = self._cluster.ask(
            lambda client: client.post(json.dumps(body).encode(), f"/{where}/{_SEARCH}", _JSON)
        )
        return self._read(
            answer, lambda told: [dict(hit["_source"]) for hit in told.get("hits", {}).get("hits", [])]
        )

    # ── answers ───────────────────────────────────────────────────────────────────────────────────────────────

    def _read(self, answer: Answer, read: Callable[[Any], list[Any]]) -> list[Any]:
        """What `read` finds in an answer.

        Raises:
            Unavailable: it finds nothing of the kind; somebody else has answered.
        """
        try:
            return read(json.loads(answer.body))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            self._raise_odd(answer, error)

    def _raise_odd(self, answer: Answer, error: Exception | None) -> NoReturn:
        raise Unavailable(
            f"{self._cluster.shown} answers as no Elasticsearch does: {_said(answer)!r}",
            remedy="See what stands between here and that server",
        ) from error


# ── documents ─────────────────────────────────────────────────────────────────────────────────────────────────────


def document_of(entry: LogEntry) -> dict[str, Any]:
    """An entry as a document: without what is None, and in each field only what fits it."""
    document = shown(entry)
    odd = {name: document.pop(name) for name in list(document) if not _fits(name, document[name])}
    if odd:
        document["extra_data"] = {**document.get("extra_data", {}), **odd}
    return document


def entry_of_document(document: Mapping[str, Any]) -> LogEntry:
    """The entry that a document is, whoever has written it."""
    fields = {name: value for name, value in document.items() if name not in ("timestamp", "@timestamp")}
    entry = entry_of(fields)
    with suppress(KeyError, ValueError):
        moment = datetime.fromisoformat(str(document["timestamp"]))
        entry.timestamp = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return entry


def _millisecond(entry: LogEntry) -> datetime:
    return entry.timestamp.replace(microsecond=entry.timestamp.microsecond // 1_000 * 1_000)


def _fits(name: str, value: Any) -> bool:
    """Whether a field can have a value."""
    match MAPPING[name]["type"]:
        case "keyword":
            return isinstance(value, str) and (
                len(value) * 4 <= _MOST_KEYWORD_BYTES
                or len(value.encode(errors="surrogatepass")) <= _MOST_KEYWORD_BYTES
            )
        case "text":
            return isinstance(value, str)
        case "integer":
            return isinstance(value, int) and -(2**31) <= value < 2**31
        case "float":
            return isinstance(value, int | float) and abs(value) <= _MOST_FLOAT
        case _:
            return True


# ── what servers are told and tell ────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class _Result:
    """What became of a record."""

    reason: str = ""
    """Why it is not safe; nothing if it is."""

    may_be_mended: bool = False


_SAFE = _Result()


def _said(answer: Answer) -> str:
    return answer.body[:_TOLD_BYTES].decode("utf-8", "replace")


def _result(told: Mapping[str, Any]) -> _Result:
    status = int(told["status"])
    if status < 300:
        return _SAFE
    error = told["error"]
    kind = str(error["type"])
    if kind == _ALREADY_THERE:
        return _SAFE
    cause = error.get("caused_by", {}).get("reason")
    reason = f"{status} {kind}: {error.get('reason', '')}{f': {cause}' if cause else ''}"
    may_be_mended = status >= 500 or status in _MAY_BE_MENDED or _TOO_MANY_SHARDS in reason
    return _Result(reason, may_be_mended)


def _clauses(wanted: Wanted) -> Mapping[str, list[object]]:
    """What a search must and must not find, at least: times are told to milliseconds, and texts by their words."""
    must: list[object] = []
    must_not: list[object] = []
    for name, value in wanted.equal.items():
        if value is None:
            must_not.append({"exists": {"field": name}})
        elif isinstance(value, datetime):
            must.append(_between(name, value, value))
        elif MAPPING[name]["type"] == "text":
            must.append({"match_phrase": {name: {"query": value, "zero_terms_query": "all"}}})
        else:
            must.append({"term": {name: {"value": value}}})
    if wanted.since is not None or wanted.until is not None:
        must.append(_between("timestamp", wanted.since, wanted.until))
    return {"filter": must, "must_not": must_not}


def _between(name: str, since: datetime | None, until: datetime | None) -> object:
    bounds = {
        **({"gte": since.isoformat()} if since is not None else {}),
        **({"lte": until.isoformat()} if until is not None else {}),
    }
    return {"range": {name: bounds}}


def _url(host: str) -> str:
    """The address of a host."""
    if "://" in host:
        return host
    name, _, path = host.partition("/")
    port = f":{_PORT}" if name == _without_port(name) else ""
    return f"{'http' if _is_here(name) else 'https'}://{name}{port}/{path}".rstrip("/")


def _without_port(name: str) -> str:
    return name.rpartition(":")[0] if fullmatch(r".*:\d+", name) else name


def _is_here(name: str) -> bool:
    """Whether a host is this machine, so that nobody else hears what it is told."""
    return fullmatch(_LOOPBACK, _without_port(name).lower()) is not None


def _in_base64(text: str) -> str:
    return b64encode(text.encode()).decode()
