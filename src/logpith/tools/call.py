"""get_call_logs: one call, request or job from end to end, through all services."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from logpith.plural import counted
from logpith.tools import Tool

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from logpith.answer import Answer, Json
    from logpith.corpus.correlation import Skew, Story
    from logpith.corpus.desk import Desk
    from logpith.corpus.ids import Id
    from logpith.corpus.records import Corpus
    from logpith.corpus.services import Services
    from logpith.quote import Quoter

_TEXT_WIDTH = 200
_TEMPLATE_WIDTH = 160
_NAME_WIDTH = 60
_VIA_WIDTH = 80
_MOST_OFFERED = 5
_MOST_STOPPED = 3


@dataclass(frozen=True, kw_only=True)
class CallTool(Tool):
    """Follow one call, request, trace or job through all services by its id, in order of time: the first failure
    marked, gaps, alike lines in a row folded, lines linked by a second id with the reason. To find an id use
    search_logs."""

    name: ClassVar[str] = "get_call_logs"
    command: ClassVar[str] = "call"
    toolset: ClassVar[str] = "aggregate"
    examples: ClassVar[tuple[str, ...]] = (
        "logpith call CA1678fb0732dac8edd1ea929e292743f2   # in all that is collected",
        "logpith call req-2744b318cb9e logs/ --hops 2",
    )
    positional: ClassVar[tuple[str, ...]] = ("call_id", "sources")
    aliases: ClassVar[Mapping[str, str]] = {
        **Tool.aliases,
        **dict.fromkeys(("callId", "id", "request_id", "trace_id", "correlation_id"), "call_id"),
    }

    call_id: str
    """Any id that ties lines together, or key=value; the beginning of one is enough."""

    hops: int = field(default=1, metadata={"minimum": 1, "maximum": 3})
    """2 also follows other ids on those lines."""

    around: str = "30s"
    """How far from the others a linked line may be."""

    limit: int = field(default=1000, metadata={"minimum": 1, "most": 5000})
    """Most lines to tell, the first of them."""

    offset: int = field(default=0, metadata={"minimum": 0})
    """How many rows to pass over."""

    budget: int = field(default=2000, metadata={"minimum": 100, "maximum": 20_000})
    """Most tokens the answer may take, a token being 4 bytes."""

    def answer(self, desk: Desk) -> Answer:
        """One row about the whole, one for each service, then the timeline."""
        from logpith.answer import Answer
        from logpith.corpus.correlation import estimate_skew
        from logpith.corpus.ids import read_id
        from logpith.corpus.services import Services
        from logpith.quote import shorten, show_hidden

        asked = self._checked(read_id(self.call_id))
        _span_ns(self.around)  # a mistake is told before anything is read
        corpus = desk.open(self.sources)
        services = Services(corpus, desk.groups)
        quoter = desk.quoter()
        story, notes = self._story_or_completed(corpus, services, asked)
        shown_id = show_hidden(shorten(asked.value, _VIA_WIDTH)) if not notes else notes[0]
        if not len(story):
            return Answer(
                summary=f"No line of {corpus.lines:,} holds this id.",
                coverage=corpus.coverage(quoter),
                next=("log_overview()",),
                found=False,
            )
        skews = estimate_skew(story)
        rows = (row for _, row in _rows(story, shown_id, quoter))
        items = [_call_item(story, shown_id, skews, quoter), *rows][self.offset :]
        failure = story.first_failure
        proof = [] if failure is None else [int(story.records[failure])]
        return Answer(
            summary=_summary(story, shown_id, failure, skews, notes),
            items=tuple(items),
            evidence=corpus.evidence(proof, quoter, _TEXT_WIDTH),
            coverage=corpus.coverage(quoter),
            next=self._next_calls(story, shown_id),
        )

    def cursor_after(self, shown: int) -> str | None:
        """Where to go on when only so many rows could be shown."""
        return f"offset={self.offset + shown}"

    def _checked(self, asked: Id) -> Id:
        from logpith_emit.errors import BadArgument

        if len(asked.value) < 3 or len(asked.value) > 256:
            raise BadArgument(
                "this is no id", remedy="Give one of 3 to 256 characters, as call_id=CA16… or alone"
            )
        return asked

    def _story_or_completed(
        self, corpus: Corpus, services: Services, asked: Id
    ) -> tuple[Story, tuple[str, ...]]:
        """The story of the id, or of the only one that begins so; then its whole value as a note.

        Raises:
            BadArgument: several begin so.
        """
        from logpith.corpus.correlation import completions
        from logpith.corpus.ids import Id
        from logpith_emit.errors import BadArgument

        story = self._story(corpus, services, asked)
        if len(story):
            return story, ()
        whole = completions(corpus, asked.value, _MOST_OFFERED)
        if len(whole) > 1:
            raise BadArgument("several ids begin so", remedy=f"Give one of them whole: {', '.join(whole)}")
        if not whole:
            return story, ()
        return self._story(corpus, services, Id(whole[0])), (whole[0],)

    def _story(self, corpus: Corpus, services: Services, asked: Id) -> Story:
        from logpith.corpus.correlation import tell_story

        around_ns = _span_ns(self.around)
        return tell_story(corpus, services, asked, hops=self.hops, around_ns=around_ns, most_lines=self.limit)

    def _next_calls(self, story: Story, shown_id: str) -> tuple[str, ...]:
        import json

        calls = []
        if self.hops == 1:
            calls.append(f"get_call_logs(call_id={json.dumps(shown_id, ensure_ascii=False)}, hops=2)")
        return tuple(calls)


def _span_ns(text: str) -> int:
    from logpith.timerange import parse_span
    from logpith_emit.errors import BadArgument

    span = parse_span(text)
    if span is None:
        raise BadArgument("`around` is no span of time", remedy="Write 30s, 5m, 1h")
    return span


def _rows(story: Story, asked: str, quoter: Quoter) -> Iterator[tuple[int, dict[str, Json]]]:
    """The timeline: a row for each line, or for several in a row that say the same, with the place of the first."""
    from logpith.corpus.sayings import sayings
    from logpith.scan.timestamps import NO_TIME
    from logpith_emit.severity import severity_name

    corpus = story.corpus
    begin = int(story.time_ns[0])
    templates = corpus.template[story.records].tolist()
    severities = corpus.severity[story.records].tolist()
    failure = story.first_failure
    runs = list(_runs(story, templates, failure))
    records = [int(story.records[first]) for first, _ in runs]
    lines = corpus.evidence(records, quoter, _TEXT_WIDTH)
    said = sayings(corpus, records, without=asked)
    for (first, count), line, text in zip(runs, lines, said, strict=True):
        time = int(story.time_ns[first])
        marks = []
        if first == failure:
            marks.append("first failure")
        if first in story.gaps:
            marks.append(f"{_seconds(story.gaps[first])} after the line before")
        if story.inferred[first]:
            marks.append("time inferred")
        item: dict[str, Json] = {
            "t": "" if time == NO_TIME else f"+{_seconds(time - begin)}",
            "service": quoter.quote(story.service[first], _NAME_WIDTH),
            "severity": severity_name(severities[first]),
            "mark": "; ".join(marks),
            "via": quoter.quote(story.via.get(int(story.records[first]), ""), _VIA_WIDTH),
            "ref": line.ref,
            "text": quoter.quote(text, _TEXT_WIDTH),
        }
        if count > 1:
            item["alike"] = count
        if line.flag:
            item["flag"] = line.flag
        yield first, {"kind": "timeline", **{name: value for name, value in item.items() if value}}


def _runs(story: Story, templates: Sequence[int], failure: int | None) -> Iterator[tuple[int, int]]:
    """Lines in a row by the same service with the same template: the place of the first, and how many."""
    first = 0
    for place in range(1, len(templates) + 1):
        goes_on = (
            place < len(templates)
            and templates[place] == templates[first]
            and templates[first] >= 0
            and story.service[place] == story.service[first]
            and place != failure
            and place not in story.gaps
            and story.via.get(int(story.records[place])) == story.via.get(int(story.records[first]))
        )
        if not goes_on:
            yield first, place - first
            first = place


def _call_item(story: Story, shown_id: str, skews: Sequence[Skew], quoter: Quoter) -> dict[str, Json]:
    from collections import Counter

    from logpith.scan.timestamps import NO_TIME
    from logpith.timerange import format_ns

    counts = Counter(story.service)
    begin = int(story.time_ns[0])
    item: dict[str, Json] = {
        "kind": "call",
        "call_id": quoter.quote(shown_id, _VIA_WIDTH),
        "total_logs": story.total,
        "services": {
            quoter.quote(name, _NAME_WIDTH) or "unknown": count for name, count in counts.most_common()
        },
        "from": format_ns(begin) if begin != NO_TIME else "",
        "duration": _seconds(story.duration_ns),
    }
    if skews:
        item["clock"] = [
            f"{quoter.quote(skew.service, _NAME_WIDTH)} seems more than {_seconds(abs(skew.ahead_ns))} "
            f"{'ahead' if skew.ahead_ns > 0 else 'behind'} ({skew.seen} of {skew.asked} ids)"
            for skew in skews
        ]
    stopped = [one for one in story.followed if one.stopped]
    if stopped:
        told = [
            f"{quoter.quote(one.id.told, _VIA_WIDTH)} is on {counted(one.stopped, 'line')}"
            for one in stopped[:_MOST_STOPPED]
        ]
        more = [f"{len(stopped) - _MOST_STOPPED:,} more"] if len(stopped) > _MOST_STOPPED else []
        item["not_followed"] = [*told, *more]
    return item


def _summary(
    story: Story, shown_id: str, failure: int | None, skews: Sequence[Skew], notes: Sequence[str]
) -> str:
    services = len(set(story.service))
    lines = counted(story.total, "line")
    said = [f"{lines} of {services} service{'s' * (services != 1)} in {_seconds(story.duration_ns)}."]
    if story.total > len(story):
        said.append(f"Only the first {len(story):,} are told.")
    if story.via:
        said.append(f"{len(story.via):,} of them came through other ids.")
    if failure is None:
        said.append("None of them tells of a failure.")
    else:
        after = int(story.time_ns[failure]) - int(story.time_ns[0])
        said.append(f"The first failure is told {_seconds(after)} after the beginning.")
    if skews:
        said.append("A clock may be wrong: times are shown as they were written.")
    if story.inferred.any():
        said.append(f"{int(story.inferred.sum()):,} without a time stand behind the line before them.")
    if notes:
        said.append("The id was completed.")
    return " ".join(said)


def _seconds(span_ns: int) -> str:
    """`0.045 s`, `34.2 s`: three digits of a short time, fewer of a long one."""
    seconds = span_ns / 1e9
    return (
        f"{seconds:.3f} s" if seconds < 10 else f"{seconds:.1f} s" if seconds < 1000 else f"{seconds:,.0f} s"
    )
