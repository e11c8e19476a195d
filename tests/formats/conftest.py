"""What the tests of formats share: a corpus made of a text, and the text's records as a query meets them."""

import io

import pytest

from logpith.corpus.reading import CorpusReader
from logpith.corpus.select import read_query, select
from logpith.files.text import TextStream

CHANGED_NS = 1_795_200_000 * 10**9  # 2026-11-20T18:40:00Z


class Reading:
    """A text, read."""

    def __init__(self, text, own=()):
        data = text if isinstance(text, bytes) else text.encode()
        self.corpus = CorpusReader(own=own).read([TextStream.drain(io.BytesIO(data), "app.log", CHANGED_NS)])

    def found(self, query):
        """The numbers of the records that match."""
        return select(self.corpus, read_query(self.corpus, query, CHANGED_NS).query).tolist()

    @property
    def severities(self):
        return self.corpus.severity.tolist()

    @property
    def services(self):
        return [self.corpus.services[code] for code in self.corpus.columns.service.tolist()]

    @property
    def times(self):
        return [self.corpus.time_text(record) for record in range(len(self.corpus))]

    @property
    def lines(self):
        return self.corpus.columns.lines.tolist()

    @property
    def formats(self):
        return {name for name, _ in self.corpus.sources[0].formats}

    @property
    def templates(self):
        return [self.corpus.templates.templates[place].text for place in self.corpus.template.tolist()]


@pytest.fixture
def read():
    return Reading
