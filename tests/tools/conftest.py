"""What the tests of tools share: a desk of their own, and an answer as any door gives it."""

import pytest

from logpith.app import ask
from logpith.component import build
from logpith.corpus.desk import Desk
from logpith.tools import tools


@pytest.fixture(autouse=True)
def cache_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("LOGPITH_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture
def answer(tmp_path):
    """answer("log_grep", "text of a log", pattern=…): what the tool says of a file with that text."""

    def answer_of(name, text, **arguments):
        path = tmp_path / "app.log"
        if text is not None:
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return ask(build(tools()[name], {"sources": [str(path)], **arguments}), Desk())

    return answer_of
