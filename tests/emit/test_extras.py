"""A library that an extra brings is there, or it is said how it comes."""

import json

import pytest

from logpith_emit.errors import Refused
from logpith_emit.extras import library


def test_a_library_that_is_there_is_given():
    assert library("json", "none") is json


def test_one_that_is_missing_says_how_it_comes():
    with pytest.raises(Refused, match=r"no_such_library is missing") as error:
        library("no_such_library", "kafka")

    assert error.value.remedy == "pip install 'logpith-emit[kafka]'"
