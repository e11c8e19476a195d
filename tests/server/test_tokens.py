import hashlib
import stat

import pytest

from logpith.server import tokens
from logpith.server.tokens import ADMIN, READER, WRITER, Tokens, kept_token, make_token
from logpith.settings import TokenSettings
from logpith_emit.errors import BadArgument, Refused
from logpith_emit.secret import Secret

LONG = "0123456789abcdef-ann"


def known(token, **more):
    return TokenSettings(name="ann", token=Secret(token), **more)


def test_a_bearer_is_known_by_the_token_or_by_its_hash():
    hashed = "sha256:" + hashlib.sha256(LONG.encode()).hexdigest()

    for settings in (known(LONG), known(hashed)):
        held = Tokens([settings], {})

        assert held.bearer_of(LONG).name == "ann"
        assert held.bearer_of(LONG[:-1]) is None
        assert held.bearer_of(hashed) is None
        assert held.bearer_of("") is None
        assert held.bearer_of("\udc80é") is None


def test_tokens_are_compared_in_constant_time_and_all_of_them(monkeypatch):
    compared = []
    real = tokens.hmac.compare_digest
    monkeypatch.setattr(tokens.hmac, "compare_digest", lambda a, b: compared.append((a, b)) or real(a, b))
    held = Tokens([known(LONG), known(LONG + "2"), known(LONG + "3")], {})

    assert held.bearer_of(LONG).name == "ann"
    assert len(compared) == 3
    assert all(len(side) == 32 for pair in compared for side in pair)


def test_an_admin_may_all_and_others_what_their_roles_say():
    held = Tokens([known(LONG, roles=("log_admin",)), known(LONG + "w", roles=("log_writer",))], {})

    assert all(held.bearer_of(LONG).may(role) for role in (READER, WRITER, ADMIN))
    assert [held.bearer_of(LONG + "w").may(role) for role in (READER, WRITER, ADMIN)] == [False, True, False]


def test_a_scope_names_services_and_groups():
    held = Tokens([known(LONG, services=("web", "raindrop"))], {"raindrop": ("gateway", "auth")})

    assert held.bearer_of(LONG).services == {"web", "gateway", "auth"}


@pytest.mark.parametrize("token", ["", "short", "sha256:" + "0" * 63, "sha256:" + "Z" * 64])
def test_what_can_be_guessed_is_no_token(token):
    with pytest.raises(BadArgument, match="ann"):
        Tokens([known(token)], {})


def test_a_token_without_a_role_is_refused():
    with pytest.raises(BadArgument, match="has no role"):
        Tokens([known(LONG, roles=())], {})


def test_a_token_is_made_once_and_only_its_user_can_read_it(tmp_path):
    made, is_new = kept_token(tmp_path)
    again, is_new_again = kept_token(tmp_path)

    assert (is_new, is_new_again) == (True, False)
    assert made == again != make_token()
    assert stat.S_IMODE((tmp_path / "token").stat().st_mode) == 0o600


def test_a_token_that_others_can_read_is_not_used(tmp_path):
    kept_token(tmp_path)
    (tmp_path / "token").chmod(0o644)

    with pytest.raises(Refused, match="chmod 600"):
        kept_token(tmp_path)


def test_an_empty_token_file_is_no_token(tmp_path):
    (tmp_path / "token").touch(0o600)

    with pytest.raises(Refused, match="holds no token"):
        kept_token(tmp_path)
