"""What is done with a store at the command line: put files in, see what there is, copy it, restore it, check it."""

import json
import tomllib

import pytest

from logpith import cli
from logpith.batch import make_batch
from logpith.store import open_store
from logpith.timerange import NS_PER_D, now_ns
from logpith_emit.disk import Disk
from ssh_server import free_port


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch, compiled):
    """A working folder with a data folder in it."""
    compiled(tmp_path / "cache")
    monkeypatch.setenv("LOGPITH_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("LOGPITH_CONFIG_DIR", str(tmp_path / "own"))
    monkeypatch.delenv("LOGPITH_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(capsys):
    """run(*words): (exit code, what was printed, what was said)."""

    def run(*words):
        capsys.readouterr()
        code = cli.main(list(words))
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


@pytest.fixture
def asked(run):
    """asked(*words): what the command answers with --json."""

    def asked(*words):
        code, out, err = run(*words, "--json")
        assert code in (0, 1), err
        return json.loads(out)

    return asked


def write(path, count):
    path.write_text("".join(f"2026-11-20T10:00:0{number} ERROR step failed\n" for number in range(count)))


def keep(folder, *days_ago, service="app"):
    """A store with a record for each of some days."""
    with open_store(folder / "data" / "store") as store:
        for days in days_ago:
            time_ns = now_ns() - days * NS_PER_D
            batch = make_batch(
                [b"some record"], observed_ns=time_ns, source="app", timestamps=[time_ns], services=[service]
            )
            store.append(batch)
            store.seal(time_ns)


def damage(folder, name="data.parquet"):
    path = next((folder / "data" / "store" / "days").rglob(name))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_files_go_in_once_and_their_segments_are_listed(folder, run, asked):
    write(folder / "app.log", 5)

    code, out, _ = run("ingest", "app.log")
    again = asked("ingest", "app.log")
    (segment,) = asked("store", "segments")["segments"]

    assert (code, out.splitlines()[0]) == (0, "5 records of 1 file are stored.")
    assert (again["records"], again["known_files"]) == (0, 1)
    assert (segment["day"], segment["records"], segment["class"]) == ("2026-11-20", 5, "default")
    code, out, _ = run("store", "segments")
    assert code == 0
    assert "2026-11-20  default        5" in out


def test_a_file_that_is_not_there_is_an_error_with_a_remedy(run):
    code, _, err = run("ingest", "app.log")

    assert code == 2
    assert "there is no file" in err


def test_while_somebody_who_is_no_server_writes_the_store_that_is_said(folder, run):
    write(folder / "app.log", 5)
    with open_store(folder / "data" / "store"):
        code, _, err = run("ingest", "app.log", "--server", f"http://127.0.0.1:{free_port()}")

    assert code == 2
    assert "is being written by another process" in err
    assert "/health cannot be asked" in err
    assert "name it with --server" in err


def test_a_store_that_cannot_be_made_is_told_with_its_folder_and_a_remedy(folder, run):
    write(folder / "app.log", 5)
    (folder / "file").write_text("")

    code, _, err = run("ingest", "app.log", "--data-dir", "file")

    assert code == 2
    assert f"the store {folder / 'file' / 'store'} cannot be made or written: " in err
    assert "Name another folder" in err


def test_beside_a_server_each_command_says_what_helps(folder, run):
    with open_store(folder / "data" / "store"):
        applied = run("retention", "apply")
        repaired = run("store", "check", "--repair")
        restaged = run("ingest", "--again", "gateway")

    assert (applied[0], repaired[0], restaged[0]) == (2, 2, 2)
    assert (
        "stop it, run this, and start it again: from its sources it reads on where it stopped" in restaged[2]
    )
    assert "lets go of what is due by itself" in applied[2]
    assert "stop it first, and try again" in repaired[2]
    assert "Send the records" not in applied[2] + repaired[2]


def test_what_is_older_than_is_kept_is_said_and_goes_only_when_that_is_asked(folder, run, asked):
    write(folder / "app.log", 5)
    (folder / "logpith.toml").write_text('[store]\nretention = "1h"\n')
    with (folder / "app.log").open("w") as file:
        file.write("2024-11-20T10:00:00Z ERROR step failed\n")

    _, out, _ = run("ingest", "app.log")
    assert "Some are older than what is kept (1h)" in out
    assert len(asked("store", "segments")["segments"]) == 1

    run("ingest", "app.log", "--retention", "30d")

    told = asked("store", "segments")
    assert (told["segments"], told["dropped"]) == ([], {"age": 1})


def test_the_plan_of_retention_says_what_goes_and_does_nothing(folder, run, asked):
    keep(folder, 31, 1)

    code, out, _ = run("retention", "plan")
    plan = asked("retention", "plan")

    assert code == 0
    assert "default is kept 30 d" in out
    assert [row["goes"] for row in plan["segments"]] == ["now", "in 29 d"]
    assert len(asked("store", "segments")["segments"]) == 2


def test_the_plan_tells_what_is_held_by_which_and_why(folder, run, asked):
    keep(folder, 40, service="billing")
    keep(folder, 40, service="gateway")
    (folder / "logpith.toml").write_text(
        '[[store.holds]]\nname = "case-17"\nreason = "the customer asks"\nservices = ["billing"]\n'
    )

    _, out, _ = run("retention", "plan")
    plan = asked("retention", "apply")

    assert "hold case-17" in out
    assert "would go, but for the hold case-17 (the customer asks)." in out
    assert [(one["goes"], one["why"]) for one in plan["segments"]] == [
        ("now", "default is kept 30 d"),
        ("held", "hold case-17"),
    ]
    (left,) = asked("store", "segments")["segments"]
    assert list(left["services"]) == ["billing"]


def test_retention_is_applied_where_no_server_does_it(folder, run, asked):
    keep(folder, 31, 1)

    assert asked("retention", "apply")["applied"]

    told = asked("store", "segments")
    assert (len(told["segments"]), told["dropped"]) == (1, {"age": 1})
    with open_store(folder / "data" / "store"):
        code, _, err = run("retention", "apply")
    assert (code, "is being written" in err) == (2, True)


def test_a_snapshot_is_created_listed_verified_and_restored(folder, run, asked):
    keep(folder, 3, 2)
    (folder / "logpith.toml").write_text(
        '[store]\nretention = "90d"\n[[server.tokens]]\nname = "a"\ntoken = "tok_0123456789abcdef"\n'
    )

    created = asked("snapshot", "create", "first")
    code, out, _ = run("snapshot", "list")
    verified = asked("snapshot", "verify", "first")
    restored = asked("snapshot", "restore", "first", "--into", "new")

    assert (created["records"], created["copied_segments"]) == (2, 2)
    assert created["secrets_left_out"] == ["server.tokens[0].token"]
    assert (code, "first" in out) == (0, True)
    assert verified["ok"]
    assert restored["records"] == 2
    assert len(asked("store", "segments", "--data-dir", "new")["segments"]) == 2
    assert asked("store", "check", "--data-dir", "new")["ok"]
    settings = (folder / "new" / "settings-of-first" / "logpith.toml").read_text()
    assert "${SERVER_TOKENS_0_TOKEN}" in settings
    everything = b"".join(path.read_bytes() for path in (folder / "data").rglob("*") if path.is_file())
    assert b"tok_0123456789abcdef" not in everything


def test_what_was_restored_of_the_settings_shows_what_config_show_has_shown(folder, run, monkeypatch):
    keep(folder, 1)
    settings = folder / "logpith.toml"
    settings.write_text(
        '[store]\nretention = "90d"\nclasses = [{ name = "errors", query = "level>=error", retention = "365d" }]\n'
        '[[server.tokens]]\nname = "a"\ntoken = "tok_0123456789abcdef"\n'
        '[sources.app]\ntype = "file"\npaths = ["*.log"]\n'
        '[[stages]]\ntype = "map"\nrename = { lvl = "log_level" }\n'
    )
    formats = folder / "own" / "formats.toml"
    formats.parent.mkdir()
    own_format = '[[format]]\nname = "own"\nregex = "(?P<message>.*)"\n'
    formats.write_text(own_format)
    code, shown, err = run("config", "show")
    assert code == 0, err

    assert run("snapshot", "create", "first")[0] == 0
    settings.unlink()
    formats.unlink()
    assert run("config", "show")[1] != shown
    run("snapshot", "restore", "first", "--into", "new")
    for file, name in ((settings, "logpith.toml"), (formats, "formats.toml")):
        file.write_text((folder / "new" / "settings-of-first" / name).read_text())

    code, _, err = run("config", "show")
    assert (code, "SERVER_TOKENS_0_TOKEN is not set" in err) == (2, True)  # no secret has come along
    monkeypatch.setenv("SERVER_TOKENS_0_TOKEN", "tok_0123456789abcdef")
    assert run("config", "show")[1] == shown
    assert tomllib.loads(formats.read_text()) == tomllib.loads(own_format)


def test_a_snapshot_without_a_name_is_called_after_its_time(folder, asked):
    keep(folder, 1)

    created = asked("snapshot", "create", "--to", "elsewhere")

    assert created["snapshot"].startswith("20")
    assert created["place"] == str(folder / "elsewhere")
    assert [one["snapshot"] for one in asked("snapshot", "list", "--from", "elsewhere")["snapshots"]] == [
        created["snapshot"]
    ]


def test_a_restore_over_a_store_is_refused(folder, run):
    keep(folder, 1)
    run("snapshot", "create", "first")

    code, _, err = run("snapshot", "restore", "first")

    assert code == 2
    assert "is not empty" in err
    assert "Name an empty folder" in err


@pytest.mark.parametrize("at", ["..", "../../etc/x", "a/b"])
def test_no_name_leads_out_of_the_place(folder, run, at):
    keep(folder, 1)

    code, _, err = run("snapshot", "create", at)

    assert (code, "a snapshot cannot be called" in err) == (2, True)


def test_damage_is_found_with_exit_code_1_and_repaired(folder, run, asked):
    keep(folder, 2, 1)
    assert run("store", "check")[0] == 0
    damage(folder)

    code, out, _ = run("store", "check")
    assert code == 1
    assert "damaged" in out
    assert "logpith store check --repair" in out
    repaired = asked("store", "check", "--repair")
    assert repaired["ok"]
    assert "1 record is lost" in repaired["repaired"][0]
    assert run("store", "check")[0] == 0
    assert asked("store", "segments")["dropped"] == {"damaged": 1}


def test_what_a_log_calls_its_service_cannot_move_the_terminal(folder, run):
    keep(folder, 1, service="evil\x1b[2J\nsegment  forged")

    _, out, _ = run("store", "segments")

    assert "\x1b" not in out
    assert len(out.splitlines()) == 4


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        (["retention"], "plan, apply"),
        (["store", "chek"], "segments, check"),
        (["snapshot", "creat", "x"], "create, list, verify, restore"),
        (["snapshot", "verify"], "snapshot list"),
        (["snapshot", "list", "x", "y"], "create, list, verify, restore"),
        (["ingest"], "Write logpith ingest PATH"),
        (["store", "segments"], "there is no store"),
    ],
)
def test_what_is_typed_wrong_is_told_with_what_to_type(run, words, remedy):
    code, _, err = run(*words)

    assert code == 2
    assert remedy in err


def test_a_snapshot_of_a_damaged_store_says_so(folder, run):
    keep(folder, 2, 1)
    damage(folder)

    code, out, _ = run("snapshot", "create", "first")

    assert code == 1
    assert "left out: segment" in out
    assert Disk().names(folder / "data" / "snapshots" / "snapshots") == ["first.json"]


def test_files_that_a_source_reads_too_are_told(folder, run):
    for name in ("app.log", "other.log"):
        write(folder / name, 5)
    settings = folder / "logpith.toml"
    before = settings.read_text() if settings.exists() else ""
    settings.write_text(
        before + '\n[sources.apps]\ntype = "file"\npaths = ["app*"]\n[sources.odd]\ntype = "file"\n'
    )

    code, both, _ = run("ingest", "*.log")
    _, other, _ = run("ingest", "other.log")

    assert code == 0
    assert "1 file is read by the source apps, too, which stores the same records once more." in both
    assert "too" not in other
