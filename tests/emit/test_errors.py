import subprocess
import sys

import pytest

from logpith_emit.errors import (
    BadArgument,
    BadQuery,
    LogpithError,
    NotFound,
    OutsideRoots,
    Refused,
    Unavailable,
    nearest,
)


@pytest.mark.parametrize("kind", [LogpithError, Unavailable, Refused, BadArgument, NotFound, OutsideRoots])
def test_an_error_says_the_problem_and_then_what_to_do(kind):
    error = kind("logs.db is locked", remedy="Raise lock_timeout_s")

    assert str(error) == "logs.db is locked. Raise lock_timeout_s"
    assert (error.problem, error.remedy) == ("logs.db is locked", "Raise lock_timeout_s")


def test_an_error_cannot_be_made_without_a_remedy():
    with pytest.raises(TypeError, match="remedy"):
        LogpithError("something is wrong")


def test_a_bad_query_knows_the_place():
    error = BadQuery("no column named 'severty'", remedy="Did you mean 'severity'?", position=4)

    assert error.position == 4
    assert isinstance(error, BadArgument)


def test_what_may_be_tried_again_is_never_refused():
    assert not issubclass(Unavailable, Refused)
    assert not issubclass(Refused, Unavailable)
    assert all(issubclass(kind, Refused) for kind in (BadArgument, BadQuery, NotFound, OutsideRoots))


def test_the_nearest_name_is_offered_only_when_one_is_near():
    assert nearest("pth", ["path", "port"]) == " Did you mean 'path'?"
    assert nearest("zebra", ["path", "port"]) == ""
    assert nearest("path", []) == ""


def test_the_ground_floor_loads_nothing_but_itself_and_the_standard_library():
    program = """
import pkgutil, sys
before = set(sys.modules)
import logpith_emit
for module in pkgutil.iter_modules(logpith_emit.__path__):
    __import__(f"logpith_emit.{module.name}")
loaded = {name.partition(".")[0] for name in set(sys.modules) - before}
print(*sorted(loaded - set(sys.stdlib_module_names) - {"logpith_emit"}))
"""

    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert loaded.stdout.strip() == ""
