"""How a program of the same user finds the server that has a store open."""

import pytest

from logpith.server.here import ADDRESS_FILE, address_told, server_here
from logpith.server.listening import Listening
from logpith.server.tokens import kept_token
from logpith.settings import ServerSettings, Settings, StoreSettings, TokenSettings
from logpith_emit.errors import Refused
from logpith_emit.secret import Secret


def token(text, *roles):
    return TokenSettings(name=text, token=Secret(text), roles=roles)


def settings(folder, *tokens):
    store = StoreSettings(folder=folder / "store")
    return Settings(store=store, server=ServerSettings(listen="127.0.0.1:9000", tokens=tokens))


@pytest.mark.parametrize(
    ("host", "told"),
    [("127.0.0.1", "http://127.0.0.1:71"), ("0.0.0.0", "http://127.0.0.1:71"), ("::1", "http://[::1]:71")],
)
def test_its_address_is_told_while_it_runs(tmp_path, host, told):
    own = settings(tmp_path)

    with address_told(own, Listening(host=host, port=71)):
        assert server_here(own, tmp_path).url == told
        assert server_here(own, tmp_path, "http://logs.example.org").url == "http://logs.example.org"

    assert server_here(own, tmp_path).url == "http://127.0.0.1:9000"
    assert not (tmp_path / ADDRESS_FILE).exists()


def test_its_token_is_that_of_an_admin_or_the_one_that_it_made(tmp_path):
    hashed = "sha256:" + "0" * 64
    made, _ = kept_token(tmp_path)

    named = settings(
        tmp_path, token("reader", "log_reader"), token("admin", "log_admin"), token(hashed, "log_admin")
    )

    assert server_here(named, tmp_path).token.reveal() == "admin"
    assert server_here(settings(tmp_path, token(hashed, "log_admin")), tmp_path).token.reveal() == ""
    assert server_here(settings(tmp_path), tmp_path).token.reveal() == made
    assert server_here(settings(tmp_path), tmp_path / "elsewhere").token.reveal() == ""


def test_a_token_that_others_can_read_is_not_used(tmp_path):
    kept_token(tmp_path)
    (tmp_path / "token").chmod(0o644)

    with pytest.raises(Refused, match="others can read"):
        server_here(settings(tmp_path), tmp_path)
