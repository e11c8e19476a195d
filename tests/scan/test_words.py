"""Words: a second implementation, written from the rules in another way, agrees with the kernel on anything."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from logpith.scan.words import split_words, walk

WORD = set(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz") | set(range(128, 256))
DIGIT = set(b"0123456789")
LETTER = set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
HEX = set(b"0123456789abcdefABCDEF")
PATH = set(b"./-_~%#&?=+:@$*!\\")

bodies = st.text("ab0:: 1:.-/\\@$=_fé,[(+\t\r\0", max_size=24).map(str.encode) | st.binary(max_size=60).map(
    lambda data: data.replace(b"\n", b"")
)


def at(body, place):
    return body[place] if 0 <= place < len(body) else 10


def opens(body, i, before):
    """What a delimiter at `i` opens: "path", "number" or nothing."""
    byte, following = body[i], at(body, i + 1)
    if byte == ord("/") and before != "word":
        return "path" if following in WORD or following in b"./" else ""
    if byte == ord(".") and before == " ":
        return (
            "path" if following == ord("/") or (following == ord(".") and at(body, i + 2) == ord("/")) else ""
        )
    if byte in b"+-" and following in DIGIT and before in (" ", "=", ":", "(", ",", "["):
        return "number"
    return ""


def word_end(body, begin, opened):
    """(end, masked) of the word that begins at `begin`."""
    i = begin + 1 if opened else begin
    path = opened == "path"
    host = colon = odd = at_sign = False
    dots = 0
    while True:
        while at(body, i) in WORD and i < len(body):
            i += 1
        if i >= len(body):
            break
        byte, following, last = body[i], at(body, i + 1), at(body, i - 1)
        so_far = body[begin + (1 if opened else 0) : i]
        digits = sum(b in DIGIT for b in so_far)
        others = sum(b in WORD and b not in HEX for b in so_far)
        if path:
            if byte in PATH and (byte == ord("/") or following in WORD or following in PATH):
                i += 1
                continue
            break
        if byte == ord(":"):
            if following == ord("/") and at(body, i + 2) == ord("/") and i + 2 < len(body) and not digits:
                path, i = True, i + 3
                continue
            if following == ord("\\") and i - begin == 1 and not digits:
                path, i = True, i + 2
                continue
            if following in DIGIT and dots >= 2 and last in WORD:
                host, i = True, i + 1
                continue
            if last in DIGIT and following in DIGIT:
                colon, i = True, i + 1
                continue
            group = 0
            while at(body, i + 1 + group) in HEX and i + 1 + group < len(body):
                group += 1
            ends = i + 1 + group >= len(body) or at(body, i + 1 + group) not in WORD
            joined = last in HEX or (colon and last == ord(":") and following in HEX)
            begun = colon or digits > 0 or i - begin == 2
            hex_goes_on = joined and (following in HEX or following == ord(":"))
            if begun and hex_goes_on and not odd and not others and group <= 4 and ends:
                colon, i = True, i + 1
                continue
            break
        if byte in b".@$-/\\" and following in WORD:
            odd, dots = odd or byte != ord("."), dots + (byte == ord("."))
            at_sign = at_sign or byte == ord("@")
            i += 1
            continue
        if byte == ord("-") and following == ord("-") and at(body, i + 2) in WORD:
            odd, i = True, i + 2
            continue
        break
    word = body[begin:i]
    inside = word[1:] if opened else word
    digits = sum(b in DIGIT for b in inside) if not path else 2
    others = sum(b in WORD and b not in HEX for b in inside)
    letters = sum(b in WORD and b not in DIGIT for b in inside)
    masked = (
        path
        or host
        or at_sign
        or digits >= 2
        or word[0] in DIGIT
        or (digits > 0 and not letters)
        or (colon and not odd and not others)
    )
    return i, masked


def oracle(body):
    """The words of a body as (begin, end, masked), and all that a shape may depend on."""
    words, form = [], []
    before, i = " ", 0
    while i < len(body):
        opened = "" if body[i] in WORD else opens(body, i, before)
        if body[i] in WORD or opened:
            end, masked = word_end(body, i, opened)
            words.append((i, end, masked))
            form.append("<*>" if masked else body[i:end])
            before, i = "word", end
            continue
        sign = " " if body[i] in b" \t" else chr(body[i])
        if not (sign == " " and before == " "):
            form.append(("delimiter", sign))
        before, i = sign, i + 1
    return words, tuple(form)


def kernel(body):
    buf = np.frombuffer(body + b"\n\0\0\0\0", np.uint8)
    spans = np.zeros((len(body) + 1, 3), np.int64)
    shape, values, count = walk(buf, 0, len(body), spans, True)
    return [(a, b, bool(m)) for a, b, m in spans[:count].tolist()], int(shape), int(values)


@given(bodies)
def test_the_oracle_agrees_on_the_words_of_any_body(body):
    body = body.strip(b" \t\r")

    assert kernel(body)[0] == oracle(body)[0]


@given(bodies, bodies)
def test_two_bodies_have_one_shape_exactly_when_their_form_is_the_same(one, other):
    one, other = one.strip(b" \t\r"), other.strip(b" \t\r")

    assert (kernel(one)[1] == kernel(other)[1]) == (oracle(one)[1] == oracle(other)[1])


@given(bodies)
def test_the_parts_of_a_body_joined_are_the_body(body):
    split = split_words(body)

    joined = split.delimiters[0] + "".join(
        word + delimiter for word, delimiter in zip(split.words, split.delimiters[1:], strict=True)
    )
    if body.isascii():
        assert joined == body.strip(b" \t\r").decode()
    else:
        assert len(split.delimiters) == len(split.words) + 1 == len(split.masked) + 1


@given(bodies, st.binary(max_size=5))
def test_blanks_around_a_body_and_what_follows_its_line_do_not_count(body, behind):
    body = body.strip(b" \t\r")
    padded = b"  \t" + body + b" \r"
    buf = np.frombuffer(padded + b"\n" + behind + b"\0\0\0\0", np.uint8)

    shape, values, _ = walk(buf, 0, len(padded), np.zeros((1, 3), np.int64), False)

    assert (int(shape), int(values)) == kernel(body)[1:]


@pytest.mark.parametrize(
    ("word", "masked"),
    [
        ("ssh2", False),
        ("eth0", False),
        ("jk2_init", False),
        ("blk_-1608", True),
        ("rdd_42_39", True),
        ("10ms", True),
        ("0x1f", True),
        ("/var/log/app.log", True),
        ("https://example.com/a?b=c", True),
        ("C:\\Windows\\x", True),
        ("00:1B:44:11:3a:b7", True),
        ("fe80::1", True),
        ("db-1.example.com:5432", True),
        ("anna.meyer@example.com", True),
        ("Session@main", True),
        ("quota_exceeded", False),
        ("café", False),
    ],
)
def test_values_are_told_from_words(word, masked):
    split = split_words(f"x {word} y".encode())

    assert (split.words[1], split.masked[1]) == (word, masked)


def test_a_word_of_megabytes_is_one_value():
    body = b"a" * (3 << 20) + b" end " + b"7" * (2 << 20)

    words = split_words(body)

    assert [len(word) for word in words.words] == [3 << 20, 3, 2 << 20]
    assert words.masked == (True, False, True)
