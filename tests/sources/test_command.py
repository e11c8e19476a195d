"""What programs print, each line once: stand-ins for a platform's client and for a process manager."""

import sys
import textwrap
from pathlib import Path

import pytest

from logpith.component import configure
from logpith.sources import source_types
from logpith.sources.command import CommandSource
from logpith.testing.sources import Place, check_source
from logpith_emit.errors import BadArgument, Refused, Unavailable

NOW = 1_795_000_000_000_000_000
S = 1_000_000_000


def line(number):
    return b"2026-11-20T10:00:00Z INFO event %04d" % number


def stand_in(folder, name, program):
    """A program at `folder/name`."""
    path = folder / name
    path.write_text(f"#!{sys.executable}\n{textwrap.dedent(program)}")
    path.chmod(0o755)
    return str(path)


def platform_cli(folder):
    """As `platform logs --app NAME --lines N` of many platforms: the last lines of an application, from FOLDER/NAME."""
    return stand_in(
        folder,
        "platform",
        f"""
        import pathlib, sys
        if sys.argv[1] != "logs": sys.exit("unknown command")
        given = dict(zip(sys.argv[2::2], sys.argv[3::2]))
        log = pathlib.Path({str(folder)!r}) / (given["--app"] + ".log")
        if not log.exists(): sys.exit("no such app: " + given["--app"])
        sys.stdout.buffer.write(b"".join(log.read_bytes().splitlines(True)[-int(given["--lines"]):]))
        """,
    )


def process_manager(folder):
    """As `pm2 logs --nostream --lines N --raw`: a name before each line."""
    return stand_in(
        folder,
        "pm",
        f"""
        import pathlib, sys
        count = int(sys.argv[sys.argv.index("--lines") + 1])
        for line in (pathlib.Path({str(folder)!r}) / "pm.log").read_text().splitlines()[-count:]:
            print(line)
        """,
    )


def poll(live, now_ns=NOW, at_once=True):
    return list(live.poll(now_ns, at_once=at_once))


def taken(deliveries):
    return [text for delivery in deliveries for text in delivery.batch["line"].to_pylist()]


def append(path, *numbers):
    with path.open("ab") as file:
        file.write(b"".join(line(number) + b"\n" for number in numbers))


def of_app(folder, **settings):
    command = (platform_cli(folder), "logs", "--app", "shop", "--lines", "{lines}")
    return CommandSource(command=command, **settings)


def test_it_keeps_the_contract(tmp_path):
    runs = iter(range(1000))

    def make():
        folder = tmp_path / str(next(runs))
        folder.mkdir()
        log = folder / "shop.log"
        steps = [
            lambda: append(log, *range(20)),
            lambda: append(log, *range(20, 60)),
            lambda: None,
            lambda: append(log, 60),
        ]
        return Place(source=of_app(folder), steps=steps)

    check_source(make, [line(number) for number in range(61)], now_ns=NOW)


def test_the_same_lines_are_never_stored_twice(tmp_path):
    append(tmp_path / "shop.log", *range(100))
    source = of_app(tmp_path)
    with source.open("shop", None) as live:
        first = poll(live)
        assert len(taken(first)) == 100
        assert poll(live) == []
    with source.open("shop", first[-1].position) as live:
        assert poll(live) == []


def test_at_first_as_many_lines_are_fetched_as_the_settings_say(tmp_path):
    append(tmp_path / "shop.log", *range(300))

    with of_app(tmp_path).open("shop", None) as live:
        assert taken(poll(live)) == [line(number) for number in range(200, 300)]
    with of_app(tmp_path, backfill_lines=0).open("shop", None) as live:
        (nothing,) = poll(live)
        append(tmp_path / "shop.log", 300)
        assert nothing.batch.num_rows == 0
        assert taken(poll(live)) == [line(300)]


def test_more_lines_are_asked_for_before_a_gap_is_told(tmp_path):
    log = tmp_path / "shop.log"
    append(log, *range(10))
    with of_app(tmp_path, most_lines=5000).open("shop", None) as live:
        poll(live)
        append(log, *range(10, 4000))
        deliveries = poll(live)
        assert taken(deliveries) == [line(number) for number in range(10, 4000)]
        assert [delivery.losses for delivery in deliveries] == [{}]
        append(log, *range(4000, 10_000))
        deliveries = poll(live)

    assert taken(deliveries) == [line(number) for number in range(5000, 10_000)]
    assert deliveries[0].losses == {"gap": 1}


def test_a_log_that_was_empty_has_no_gap(tmp_path):
    log = tmp_path / "shop.log"
    log.touch()
    with of_app(tmp_path).open("shop", None) as live:
        assert poll(live) == []
        append(log, *range(3000))
        deliveries = poll(live)

    assert taken(deliveries) == [line(number) for number in range(3000)]
    assert deliveries[0].losses == {}


def test_a_log_that_began_anew_is_told_and_read(tmp_path):
    log = tmp_path / "shop.log"
    append(log, *range(10))
    with of_app(tmp_path).open("shop", None) as live:
        poll(live)
        log.unlink()
        append(log, 100, 101)
        deliveries = poll(live)
        append(log, 102)

        assert taken(deliveries) == [line(100), line(101)]
        assert deliveries[0].losses == {"gap": 1}
        assert taken(poll(live)) == [line(102)]


def test_several_services_are_asked_one_after_the_other(tmp_path):
    names = ("gateway", "auth", "persona", "orchestrator")
    for number, name in enumerate(names):
        append(tmp_path / f"{name}.log", number)
    command = (platform_cli(tmp_path), "logs", "--app", "{service}", "--lines", "{lines}")

    with CommandSource(command=command, services=names).open("platform", None) as live:
        batches = [delivery.batch for delivery in poll(live)]

    told = [(batch["service"][0].as_py(), batch["line"][0].as_py()) for batch in batches]
    assert told == [(name, line(number)) for number, name in enumerate(names)]


def test_a_service_that_fails_does_not_keep_the_others_from_being_read(tmp_path):
    append(tmp_path / "here.log", 1)
    command = (platform_cli(tmp_path), "logs", "--app", "{service}", "--lines", "{lines}")
    stored = []

    with (
        CommandSource(command=command, services=("gone", "here")).open("platform", None) as live,
        pytest.raises(Unavailable, match="no such app: gone"),
    ):
        stored.extend(live.poll(NOW))

    with CommandSource(command=command, services=("gone", "here")).open("platform", None) as live:
        assert taken([next(live.poll(NOW))]) == [line(1)]


def test_a_process_manager_s_names_are_the_services(tmp_path):
    (tmp_path / "pm.log").write_text(
        "0|gateway  | 2026-11-20T10:00:00Z INFO up\n1|auth     | 2026-11-20T10:00:00Z ERROR down\n"
    )
    command = (process_manager(tmp_path), "logs", "--nostream", "--lines", "{lines}")

    with CommandSource(command=command).open("pm", None) as live:
        batch = poll(live)[0].batch

    assert batch["service"].to_pylist() == ["gateway", "auth"]
    assert batch["severity_number"].to_pylist() == [9, 17]


def test_a_young_record_waits_for_the_rest_of_its_trace(tmp_path):
    log = tmp_path / "shop.log"
    log.write_bytes(b"2026-11-20T10:00:00Z ERROR failed\nTraceback (most recent call last):\n")
    time_ns = 1_795_168_800 * S
    with of_app(tmp_path).open("shop", None) as live:
        assert poll(live, time_ns + S // 2, at_once=False) == []
        with log.open("ab") as file:
            file.write(b"ValueError: no\n")

        whole = taken(poll(live, time_ns + 2 * S, at_once=False))

    assert whole == [b"2026-11-20T10:00:00Z ERROR failed\nTraceback (most recent call last):\nValueError: no"]


def counting(folder, window):
    """A program that prints three new lines at each run, and before them as many old ones as `window` says."""
    return stand_in(
        folder,
        "counting",
        f"""
        import pathlib
        place = pathlib.Path({str(folder)!r}) / "count"
        first = int(place.read_text()) if place.exists() else 0
        place.write_text(str(first + 3))
        for number in range(max(first - {window}, 0), first + 3):
            print(f"2026-11-20T10:00:00Z INFO event {{number:04}}")
        """,
    )


def test_a_command_that_prints_only_what_is_new_loses_nothing_and_has_no_gap(tmp_path):
    time_ns = 1_795_168_800 * S
    with CommandSource(command=(counting(tmp_path, 0),)).open("since", None) as live:
        deliveries = [one for _ in range(3) for one in poll(live, time_ns, at_once=False)]

    assert taken(deliveries) == [line(number) for number in range(9)]
    assert [delivery.losses for delivery in deliveries] == [{}, {}, {}]


def test_a_command_that_repeats_itself_tells_a_gap_also_to_the_next_process(tmp_path):
    source = CommandSource(command=(counting(tmp_path, 2),))
    with source.open("window", None) as live:
        deliveries = poll(live) + poll(live)
    (tmp_path / "count").write_text("100")
    with source.open("window", deliveries[-1].position) as live:
        (behind,) = poll(live)

    assert taken(deliveries) == [line(number) for number in range(6)]
    assert behind.losses == {"gap": 1}


def test_a_command_that_fails_says_why(tmp_path):
    with (
        of_app(tmp_path).open("shop", None) as live,
        pytest.raises(Unavailable, match="failed with status 1: no such app"),
    ):
        poll(live)


def test_a_command_that_there_is_not_is_refused():
    with CommandSource(command=("/no/such", "{lines}")).open("shop", None) as live, pytest.raises(Refused):
        poll(live)


@pytest.mark.parametrize("position", ["", "{", '{"services":{"":"%"}}', '{"services":3}'])
def test_a_position_that_cannot_be_read_begins_anew(tmp_path, position):
    append(tmp_path / "shop.log", 1)

    with of_app(tmp_path).open("shop", position) as live:
        assert taken(poll(live)) == [line(1)]


def test_settings_that_could_be_taken_for_something_else_are_refused():
    with pytest.raises(BadArgument, match="names no program"):
        CommandSource(command=())
    with pytest.raises(BadArgument, match="no service"):
        CommandSource(command=("x", "{service}"))
    with pytest.raises(BadArgument, match="cannot be given"):
        CommandSource(command=("x", "{service}"), services=("--help",))


def test_it_is_built_from_settings_by_its_name(tmp_path):
    given = {"command": ["journal", "{lines}"], "timeout_s": 5, "attributes": {"host.name": "web-1"}}

    source = configure(source_types()["command"], given, "sources.x")

    assert source == CommandSource(
        command=("journal", "{lines}"), timeout_s=5.0, attributes=("host.name=web-1",)
    )


def test_every_file_of_the_folder_that_has_a_source_is_a_type():
    folder = Path(__file__).parents[2] / "src" / "logpith" / "sources"
    with_source = [path.stem for path in sorted(folder.glob("*.py")) if "(Source)" in path.read_text()]

    assert list(source_types()) == with_source
    assert all(source.type == name for name, source in source_types().items())
