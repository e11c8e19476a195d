"""Quota: numbers are read of what tells of an allowance, and of nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logpith.corpus.quota import is_about_quota, quota_in


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("speech credits: 0 of 5000000 characters left", "0 of 5,000,000 left"),
        ("quota_exceeded - 2/10000 credits remaining", "2 of 10,000 left"),
        ("quota_exceeded: 2 credits left, need 50", "2 left, 50 needed"),
        ('{"error":"insufficient_quota","remaining":12,"required":40}', "12 left, 40 needed"),
        ("credits remaining: 1,204", "1,204 left"),
        ("rate limit reached: remaining=0 limit=500", "0 of 500 left"),
        ("credit balance=3.50 is too low", "3.5 left"),
    ],
)
def test_what_is_left_is_read(text, told):
    assert str(quota_in(text)) == told


@pytest.mark.parametrize(
    "text",
    [
        "tts request failed: code=quota_exceeded",
        "5 of 7 attempts left",
        "caller left after 3 s",
        "accredited 5 left",
    ],
)
def test_what_tells_no_numbers_or_is_about_something_else_tells_none(text):
    assert quota_in(text) is None


@pytest.mark.parametrize(
    "text", ["insufficient_quota", "RESOURCE_EXHAUSTED", "HTTP 429 Too Many Requests", "ThrottlingException"]
)
def test_many_words_speak_of_an_allowance(text):
    assert is_about_quota(text)


@given(st.text(max_size=300))
def test_any_text_can_be_asked(text):
    quota = quota_in(f"quota {text}")

    assert quota is None or str(quota)
