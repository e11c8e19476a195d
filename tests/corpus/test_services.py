"""Services: who wrote a record, by any name that people call him."""

import numpy as np
import pytest

from logpith.corpus.desk import Desk
from logpith.corpus.services import Services
from logpith_emit.errors import NotFound

LINES = {
    "voice-pipeline.log": "2026-11-20 10:00:00,000 INFO voice_pipeline.tts: spoken\n",
    "gateway.log": '{"ts":"2026-11-20T10:00:01Z","level":"info","service":"edge","msg":"call"}\n',
    "postgres.log.1": "2026-11-20 10:00:02.000 UTC [1] LOG:  checkpoint complete\n",
}


@pytest.fixture
def corpus(tmp_path, monkeypatch):
    monkeypatch.setenv("LOGPITH_CACHE_DIR", str(tmp_path / "cache"))
    for name, text in LINES.items():
        (tmp_path / name).write_text(text)
    return Desk().open([str(tmp_path / name) for name in LINES])


def chosen(corpus, *names, groups=None):
    services = Services(corpus, groups or {})
    return sorted(
        services.name_of(record) for record in services.chosen(np.arange(len(corpus)), names).tolist()
    )


def test_a_record_is_of_who_it_names_or_of_its_file(corpus):
    assert chosen(corpus) == ["edge", "postgres", "voice-pipeline"]


@pytest.mark.parametrize(
    ("name", "service"),
    [
        ("voice-pipeline", "voice-pipeline"),
        ("Voice_Pipeline", "voice-pipeline"),
        ("voice_pipeline.tts", "voice-pipeline"),
        ("edge", "edge"),
        ("gateway", "edge"),
        ("postgres", "postgres"),
    ],
)
def test_every_name_that_it_bears_means_it(corpus, name, service):
    assert chosen(corpus, name) == [service]


def test_a_group_stands_for_its_members_also_for_those_that_say_nothing_yet(corpus):
    groups = {"Rain Drop": ["edge", "postgres"], "later": ["not-here-yet"]}

    assert chosen(corpus, "rain-drop", groups=groups) == ["edge", "postgres"]
    assert chosen(corpus, "later", groups=groups) == []


def test_an_unknown_name_is_refused_with_those_that_are_known(corpus):
    with pytest.raises(NotFound) as told:
        chosen(corpus, "postgras", groups={"all": ["edge"]})

    assert str(told.value) == (
        "there is no service named 'postgras' here. Did you mean 'postgres'?"
        " The services are all, edge, postgres, voice-pipeline"
    )
