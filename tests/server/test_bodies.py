import gzip
import zlib

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from logpith.server.bodies import BodyLimits, unpack
from logpith.server.replies import Wrong

LIMITS = BodyLimits(most_bytes=1 << 20, most_unpacked_bytes=1 << 20)
PACKERS = {"gzip": gzip.compress, "zstd": zstandard.compress}


@given(st.binary(max_size=200_000), st.sampled_from(sorted(PACKERS)), st.integers(1, 3))
def test_what_was_packed_comes_out_again(body, encoding, members):
    pieces = [body[place::members] for place in range(members)]

    packed = b"".join(map(PACKERS[encoding], pieces))

    assert unpack(packed, encoding, LIMITS) == b"".join(pieces)


@pytest.mark.parametrize("encoding", sorted(PACKERS))
def test_a_bomb_is_too_large_whatever_its_headers_say(encoding):
    bomb = PACKERS[encoding](bytes(64 << 20))
    assert len(bomb) < 100_000

    with pytest.raises(Wrong) as wrong:
        unpack(bomb, encoding, LIMITS)

    assert (wrong.value.status, wrong.value.more) == (413, {"limit": 1 << 20})


def test_a_bomb_in_a_bomb_is_unpacked_once():
    inner = gzip.compress(bytes(64 << 20))

    assert unpack(gzip.compress(inner), "gzip", LIMITS) == inner


def test_many_members_are_one_body_within_its_limit():
    with pytest.raises(Wrong) as wrong:
        unpack(gzip.compress(bytes(100_000)) * 20, "gzip", LIMITS)

    assert wrong.value.status == 413


def test_a_frame_that_asks_for_a_huge_window_is_refused():
    parameters = zstandard.ZstdCompressionParameters(window_log=27, compression_level=1)
    packed = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    frame = packed.compress(b"x") + packed.flush()

    with pytest.raises(Wrong) as wrong:
        unpack(frame, "zstd", LIMITS)

    assert wrong.value.code == "damaged_body"


@given(st.binary(max_size=5_000), st.sampled_from(sorted(PACKERS)), st.data())
def test_what_is_cut_or_damaged_is_an_error_and_never_less(body, encoding, data):
    packed = PACKERS[encoding](body)
    cut = data.draw(st.integers(1, len(packed) - 1))

    with pytest.raises(Wrong) as wrong:
        unpack(packed[:cut], encoding, LIMITS)

    assert wrong.value.code == "damaged_body"


def test_other_encodings_and_several_are_refused():
    for encoding in ("br", "deflate", "gzip, gzip"):
        with pytest.raises(Wrong) as wrong:
            unpack(zlib.compress(b"x"), encoding, LIMITS)
        assert wrong.value.status == 415
