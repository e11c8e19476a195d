"""Secrets in settings: values that print as `***` wherever they end up."""

from __future__ import annotations

from logpith_emit.errors import Refused

MASK = "***"


class Secret(str):
    """A text whose characters are `***`; what it stands for comes out of `reveal()` only.

    It is a `str` and not a wrapper because encoders, formatters and string joins read the characters of a
    `str` without asking it: whatever prints, logs or encodes the settings gets `***` and cannot get more.
    A pickled or copied-by-value secret has lost its value, and says so when asked for it.
    """

    __slots__ = ("_value",)

    _value: str | None

    def __new__(cls, value: str) -> Secret:
        """The secret that stands for `value`; a secret given twice is still one secret."""
        secret = super().__new__(cls, MASK)
        secret._value = value._value if isinstance(value, Secret) else str(value)
        return secret

    def reveal(self) -> str:
        """The value itself. Call it where the value is used, and keep the result nowhere.

        Raises:
            Refused: this secret came out of a pickle.
        """
        if self._value is None:
            raise Refused(
                "This secret lost its value when it was pickled",
                remedy="Load the settings again in the process that needs it",
            )
        return self._value

    def __repr__(self) -> str:
        return MASK

    def __bool__(self) -> bool:
        return self._value != ""

    def __eq__(self, other: object) -> bool:
        """Whether both stand for the same text, in a time that does not tell how much of it agrees."""
        # hmac costs a quarter of this package's time to import, and few programs compare secrets.
        from hmac import compare_digest  # noqa: PLC0415

        if not isinstance(other, str):
            return NotImplemented
        theirs = other._value if isinstance(other, Secret) else other
        if self._value is None or theirs is None:
            return self is other
        return compare_digest(
            self._value.encode(errors="surrogatepass"), theirs.encode(errors="surrogatepass")
        )

    def __ne__(self, other: object) -> bool:
        equal = self.__eq__(other)
        return equal if equal is NotImplemented else not equal

    def __hash__(self) -> int:
        return hash(self._value)

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __getstate__(self) -> None:
        """Nothing: what walks through objects must not find the value."""

    def __reduce__(self) -> tuple[object, tuple[()]]:
        return _without_value, ()

    def __reduce_ex__(self, protocol: object) -> tuple[object, tuple[()]]:
        return self.__reduce__()


def _without_value() -> Secret:
    secret = Secret("")
    secret._value = None
    return secret


SECRET_PARAMETERS = frozenset(
    {"access_token", "api_key", "apikey", "key", "pass", "passwd", "password", "pwd", "secret", "sig"}
    | {"signature", "sslpassword", "token"}
)
"""Names of address parameters whose values are hidden, in lower case."""


def without_password(address: str) -> str:
    """`address` with the password of its user part, and secrets among its parameters, shown as `***`.

    `postgres://app:hunter2@db/logs?sslmode=require` → `postgres://app:***@db/logs?sslmode=require`. Text that
    is no address comes back as it is; an address that cannot be read surely loses too much, never too little.
    """
    head, question_mark, parameters = _without_user_password(address).partition("?")
    return head + question_mark + "&".join(map(_without_secret_value, parameters.split("&")))


def _without_user_password(address: str) -> str:
    scheme, slashes, rest = address.partition("://")
    if not slashes:
        return address
    # The last @ before the path ends the user part. A password with an unescaped / or ? or # in it makes
    # that "path" start too early: then what follows the first : is no port, and the last @ of all counts.
    authority = rest[: min((at for at in map(rest.find, "/?#") if at >= 0), default=len(rest))]
    _, colon, port = authority.rpartition("@")[2].rpartition(":")
    if "@" not in authority and colon and not port.isdigit() and "]" not in port:
        authority = rest
    user_part, at, _ = authority.rpartition("@")
    user, colon, _ = user_part.partition(":")
    if not at or not colon:
        return address
    return f"{scheme}://{user}:{MASK}{rest[len(user_part) :]}"


def _without_secret_value(parameter: str) -> str:
    name, equals, _ = parameter.partition("=")
    return f"{name}={MASK}" if equals and name.lower() in SECRET_PARAMETERS else parameter
