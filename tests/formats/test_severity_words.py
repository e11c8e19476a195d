"""Level words: taken where loggers put them, left where texts do."""

import pytest

from logpith.formats.severity_words import severity_in


@pytest.mark.parametrize(
    ("body", "number"),
    [
        ("ERROR x.y it broke", 17),
        ("[warn] slow", 13),
        ("<info> up", 9),
        ("(crit) down", 21),
        ('level=debug msg="x"', 5),
        ('msg="x" level="error"', 17),
        ("error: no such file", 17),
        ("Warning: disk is filling", 13),
        ("148 INFO app started", 9),
        ("R02-M1 J12 RAS KERNEL FATAL data", 21),
        ("LOG:  checkpoint complete", 9),
        ("an error occurred", 0),
        ("no fatal flaws", 0),
        ("HTTP request", 0),
        ("GET /error HTTP/1.1", 0),
        ("Config loaded", 0),
        ("ERRORS 5", 0),
        ("in the tenth word or later nobody expects a level: at all ERROR", 0),
        ("", 0),
    ],
)
def test_the_level_of_a_body(body, number):
    assert severity_in(body.encode()) == number
