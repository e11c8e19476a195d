import pytest

from logpith.server.hosts import LOOPBACK, AllowedHosts

HOSTS = AllowedHosts(
    names=frozenset([*LOOPBACK, "logs.example.org"]), origins=frozenset(["https://page.example.org"])
)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.0.0.1:8850",
        "localhost:1",
        "LOCALHOST",
        "[::1]",
        "[::1]:8850",
        "logs.example.org:443",
    ],
)
def test_a_name_of_this_server_is_let_in_at_any_port(host):
    assert HOSTS.allows_host([host])


FOREIGN = [
    "evil.example.com",
    "127.0.0.1.evil.example.com",
    "evil.example.com:8850",
    "localhost.",
    "localhost.:8850",
    "127.0.0.1:8850@evil.example.com",
    "127.0.0.1:",
    "127.0.0.1:8850:1",
    "127.0.0.1:x",
    "127.0.0.1:123456",
    "2130706433",
    "0x7f.1",
    "127.1",
    "0.0.0.0",
    "::1",
    "[::ffff:127.0.0.1]",
    "[::1].evil.example.com",
    " localhost",
    "local host",
    "localhost\t",
    "\uff4cocalhost",
    "",
]


@pytest.mark.parametrize("host", FOREIGN)
def test_any_other_name_is_not(host):
    assert not HOSTS.allows_host([host])


def test_no_name_and_two_names_are_refused():
    assert not HOSTS.allows_host([])
    assert not HOSTS.allows_host(["localhost", "localhost"])


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://127.0.0.1:8850", "127.0.0.1:8850"),
        ("http://localhost:8850", "127.0.0.1:8850"),
        ("http://[::1]:8850", "[::1]:8850"),
        ("https://logs.example.org", "logs.example.org"),
        ("https://logs.example.org", "logs.example.org:443"),
        ("http://localhost", "localhost:80"),
        ("https://page.example.org", "127.0.0.1:8850"),
    ],
)
def test_a_page_from_here_may_ask(origin, host):
    assert HOSTS.allows_origin([origin], host)


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "",
        "http://evil.example.com",
        "http://localhost:3000",
        "http://127.0.0.1:8850.evil.example.com",
        "http://127.0.0.1:8850@evil.example.com",
        "https://page.example.org.evil.example.com",
        "https://page.example.org:444",
        "file://127.0.0.1:8850",
        "127.0.0.1:8850",
        "http://127.0.0.1:8850/",
        "chrome-extension://127.0.0.1:8850",
    ],
)
def test_a_page_of_another_place_may_not(origin):
    assert not HOSTS.allows_origin([origin], "127.0.0.1:8850")


def test_who_is_no_page_may_ask_and_who_says_two_may_not():
    assert HOSTS.allows_origin([], "127.0.0.1:8850")
    assert not HOSTS.allows_origin(["http://localhost:8850"] * 2, "localhost:8850")
