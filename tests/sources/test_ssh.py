"""What programs of another machine print: OpenSSH's client and server, on this machine."""

import sys
from dataclasses import replace

import pytest

from logpith.sources.ssh import SshSource
from logpith.testing.sources import Place, check_source
from logpith_emit.errors import BadArgument, Refused, Unavailable
from ssh_server import free_port, make_key, ssh_server

NOW = 1_795_000_000_000_000_000

pytestmark = pytest.mark.service


@pytest.fixture(scope="module")
def sshd(tmp_path_factory):
    with ssh_server(tmp_path_factory.mktemp("sshd")) as server:
        yield server


def line(number):
    return b"2026-11-20T10:00:00Z INFO event %04d" % number


def source_at(sshd, *command, **settings):
    given = {
        "host": "127.0.0.1",
        "port": sshd.port,
        "user": sshd.user,
        "allow_root": sshd.user == "root",
        "key_file": sshd.key_file,
        "known_hosts": sshd.known_hosts,
        "command": command,
    }
    return SshSource(**{**given, **settings})


def lines_told(source):
    with source.open("remote", None) as live:
        return [
            text for delivery in live.poll(NOW, at_once=True) for text in delivery.batch["line"].to_pylist()
        ]


def append(path, *numbers):
    with path.open("ab") as file:
        file.write(b"".join(line(number) + b"\n" for number in numbers))


def test_it_keeps_the_contract(sshd, tmp_path):
    runs = iter(range(100))

    def make():
        log = tmp_path / f"{next(runs)}.log"
        steps = [lambda: append(log, *range(5)), lambda: append(log, *range(5, 9))]
        return Place(source=source_at(sshd, "tail", "-n", "{lines}", str(log)), steps=steps)

    check_source(make, [line(number) for number in range(9)], now_ns=NOW)


def test_several_services_of_a_machine(sshd, tmp_path):
    append(tmp_path / "gateway.log", 1)
    append(tmp_path / "auth.log", 2)
    source = source_at(
        sshd, "tail", "-n", "{lines}", f"{tmp_path}/{{service}}.log", services=("gateway", "auth")
    )

    with source.open("remote", None) as live:
        told = [delivery.batch.to_pylist()[0] for delivery in live.poll(NOW, at_once=True)]

    assert [(row["service"], row["line"]) for row in told] == [("gateway", line(1)), ("auth", line(2))]
    assert told[0]["extra"] == '{"host.name":"127.0.0.1"}'


def test_no_argument_is_read_by_the_shell_over_there(sshd, tmp_path):
    words = [
        "; touch {}",
        "$(touch {})",
        "`touch {}`",
        "a b",
        "'q'",
        '"d"',
        "\\",
        "*",
        "-n",
        "| tee {}",
        "a\nb",
        "$HOME",
        "~",
    ]
    touched = tmp_path / "touched"
    words = [word.format(touched) for word in words]
    show = "import sys; [print(repr(word)) for word in sys.argv[1:]]"

    told = lines_told(source_at(sshd, sys.executable, "-c", show, *words))

    assert [text.decode() for text in told] == [repr(word) for word in words]
    assert not touched.exists()


def test_a_machine_with_another_key_is_refused(sshd, tmp_path):
    other = make_key(tmp_path / "other")
    known = tmp_path / "known_hosts"
    known.write_text(f"[127.0.0.1]:{sshd.port} {' '.join(other.split()[:2])}\n")

    with pytest.raises(Refused, match=r"the key of 127\.0\.0\.1 is not the one"):
        lines_told(source_at(sshd, "true", known_hosts=str(known)))


def test_a_machine_whose_key_is_not_known_is_refused_and_not_learnt(sshd, tmp_path):
    known = tmp_path / "known_hosts"
    known.touch()

    with pytest.raises(Refused, match="is not the one"):
        lines_told(source_at(sshd, "true", known_hosts=str(known)))
    assert known.read_text() == ""


def test_who_is_not_let_in_is_refused(sshd, tmp_path):
    make_key(tmp_path / "stranger")

    with pytest.raises(Refused, match="does not let"):
        lines_told(source_at(sshd, "true", key_file=str(tmp_path / "stranger")))


def test_files_that_are_not_there_are_refused(sshd, tmp_path):
    with pytest.raises(Refused, match="key_file"):
        lines_told(source_at(sshd, "true", key_file=str(tmp_path / "no")))
    with pytest.raises(Refused, match="known_hosts"):
        lines_told(source_at(sshd, "true", known_hosts=str(tmp_path / "no")))


def test_a_machine_that_does_not_answer_is_unavailable(sshd):
    with pytest.raises(Unavailable, match="cannot be reached"):
        lines_told(source_at(sshd, "true", port=free_port()))


def test_a_command_that_fails_or_hangs_there_is_unavailable(sshd):
    with pytest.raises(Unavailable, match="failed with status 3: oh no"):
        lines_told(source_at(sshd, "sh", "-c", "echo oh no >&2; exit 3"))
    with pytest.raises(Unavailable, match="did not end within 2 s"):
        lines_told(source_at(sshd, "sleep", "600", timeout_s=2))


def test_an_output_without_end_is_refused(sshd):
    with pytest.raises(Refused, match="more than 1,000,000 bytes"):
        lines_told(source_at(sshd, "yes", most_bytes=1_000_000))


def test_root_has_to_be_allowed():
    source = SshSource(host="web-1", user="logs", command=("true",), key_file="k", known_hosts="h")

    with pytest.raises(BadArgument, match="root can do more"):
        replace(source, user="root")
    assert replace(source, user="root", allow_root=True).user == "root"


@pytest.mark.parametrize(
    "wrong",
    [
        {"host": "-oProxyCommand=touch x"},
        {"host": "a b"},
        {"user": "-x"},
        {"user": "a;b"},
        {"services": ("-n",)},
        {"command": ()},
    ],
)
def test_settings_that_could_be_taken_for_options_are_refused(wrong):
    source = SshSource(host="web-1", user="logs", command=("true",), key_file="k", known_hosts="h")

    with pytest.raises(BadArgument):
        replace(source, **wrong)
