"""Meaning: which templates say what somebody asks in words of his own.

Templates are ranked, hundreds of them, never lines. Three readings of a text are weighed by BM25 (Robertson and
Zaragoza, "The Probabilistic Relevance Framework", 2009) and summed:

    words       stems without the little words, those of camelCase and snake_case apart
    concepts    which lines of the table in `synonyms.py` the text speaks of
    grams       pieces of three characters, for what is misspelled or shortened

Where the settings name an endpoint that embeds texts (any that speaks OpenAI's `/embeddings`), its order is fused in by
reciprocal rank (Cormack, Clarke and Büttcher, 2009). Nothing is asked of anybody unless the settings say so; an
endpoint that does not answer costs its part of the order, and a note. Another ranking is another order of templates:
nothing that is stored depends on it.
"""

from __future__ import annotations

import http.client
import json
import math
import re
import ssl
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from urllib.parse import urlsplit

import msgspec
import numpy as np
from numpy.typing import NDArray

from logpith.corpus import cache as notes
from logpith.corpus.judging import failure_words
from logpith.corpus.masking import without_secrets
from logpith.corpus.synonyms import CONCEPTS
from logpith_emit.errors import BadArgument, LogpithError, Refused, Unavailable
from logpith_emit.secret import Secret

_LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
_MOST_ANSWER_BYTES = 64 << 20
_EMBEDDED_AT_ONCE = 256
_KEPT_VECTORS = 20
_LONGEST_TEXT = 400

# Weighed on the pairs that the tests keep; the held-out ones of them were not looked at.
_CONCEPT_WEIGHT, _GRAM_WEIGHT = 2.0, 0.1
_TROUBLE_FACTOR = 2.0
_SATURATION, _LENGTH_SHARE = 1.2, 0.5
_LEAST_SHARE = 0.35
"""What has less of the best one's score is not shown."""

_FUSION = 60
"""The constant of reciprocal rank fusion, as its authors give it."""

_WORD = re.compile(r"<[^<>\s]{1,20}>|[^\W_]+")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[A-Za-z]{3})(?=\d)")
_LITTLE = frozenset(
    re.findall(
        r"\w+",
        "a an and any are as at be been being but by can do does for from had has have he her his i if in into is it"
        " its me my of on or our she so some such than that the their them then there these they this to too was we"
        " were what when where which while who why will with would you your",
    )
)
_ENDINGS = (
    ("ational", "ate"), ("ization", "ize"), ("isation", "ise"), ("iness", "y"), ("ements", ""), ("ement", ""),
    ("ations", "at"), ("ation", "at"), ("ately", "at"), ("ions", ""), ("ion", ""), ("ities", ""), ("ity", ""),
    ("ings", ""), ("ing", ""), ("ables", ""), ("able", ""), ("ures", ""), ("ure", ""), ("ies", "y"), ("ied", "y"),
    ("ers", ""), ("ed", ""), ("er", ""), ("es", ""), ("ly", ""), ("s", ""), ("e", ""),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Embedding:
    """Who turns texts into vectors: any endpoint that speaks OpenAI's `POST /embeddings`."""

    url: str
    """Where it is, up to `/embeddings`: https://api.example.com/v1. Without TLS only on this machine."""

    model: str
    """The model's name, as the endpoint knows it."""

    key: Secret = field(default_factory=lambda: Secret(""))
    """What proves who asks; sent as a bearer token."""

    timeout_s: float = 5.0
    """How long to wait for it."""

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("https", "http") or not parts.hostname:
            raise BadArgument(
                "the embedding's url is no address", remedy="Write https://HOST/v1, up to /embeddings"
            )
        if parts.scheme == "http" and parts.hostname not in _LOCAL_HOSTS:
            raise BadArgument(
                "the embedding's url is without TLS, and not on this machine",
                remedy="Write https://, so that nobody reads the key and the templates on their way",
            )
        if parts.username or parts.password:
            raise BadArgument("the embedding's url holds a password", remedy="Set it as the key")

    @classmethod
    def of(cls, url: str, model: str, key: Secret | None = None) -> Embedding | None:
        """The one that settings name; None where they name none.

        Raises:
            BadArgument: they cannot be meant.
        """
        if not url:
            return None
        if not model:
            raise BadArgument(
                "the embedding has no model", remedy="Set embeddings_model beside embeddings_url"
            )
        return cls(url=url, model=model, key=key or Secret(""))

    def vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One vector of length 1 for each text.

        Raises:
            Unavailable: it does not answer, or not in time.
            Refused: it refuses, or says what is no answer.
        """
        made = [
            self._ask(texts[first : first + _EMBEDDED_AT_ONCE])
            for first in range(0, len(texts), _EMBEDDED_AT_ONCE)
        ]
        vectors = np.concatenate(made) if made else np.empty((0, 1), np.float32)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        return (vectors / np.where(lengths == 0, 1, lengths)).astype(np.float32)

    def _ask(self, texts: Sequence[str]) -> NDArray[np.float32]:
        body = json.dumps({"model": self.model, "input": list(texts)}).encode()
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key.reveal()}"
        parts = urlsplit(self.url)
        connection = self._connection()
        try:
            connection.request("POST", f"{parts.path.rstrip('/')}/embeddings", body, headers)
            # A redirect is an answer like any other here: the key goes to nobody else.
            response = connection.getresponse()
            data = response.read(_MOST_ANSWER_BYTES + 1)
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable(
                f"the embedding endpoint at {parts.hostname} does not answer",
                remedy="Look whether it runs, or take it out of the settings",
            ) from error
        finally:
            connection.close()
        if response.status != http.client.OK or len(data) > _MOST_ANSWER_BYTES:
            raise Refused(
                f"the embedding endpoint at {parts.hostname} answers with status {response.status}",
                remedy="Check its url, model and key",
            )
        return _read_vectors(data, len(texts), parts.hostname or "")

    def _connection(self) -> http.client.HTTPConnection:
        parts = urlsplit(self.url)
        host = parts.hostname or ""
        if parts.scheme == "http":
            return http.client.HTTPConnection(host, parts.port, timeout=self.timeout_s)
        return http.client.HTTPSConnection(
            host, parts.port, timeout=self.timeout_s, context=ssl.create_default_context()
        )


class _Vector(msgspec.Struct):
    index: int
    embedding: list[float]


class _Vectors(msgspec.Struct):
    data: list[_Vector]


def _read_vectors(data: bytes, count: int, host: str) -> NDArray[np.float32]:
    try:
        found = {one.index: one.embedding for one in msgspec.json.decode(data, type=_Vectors).data}
        vectors = np.array([found[place] for place in range(count)], np.float32)
    except (msgspec.MsgspecError, KeyError, ValueError) as error:
        raise Refused(
            f"what the embedding endpoint at {host} answers is no list of vectors",
            remedy="Check its url: it ends before /embeddings",
        ) from error
    if vectors.ndim != 2 or not np.isfinite(vectors).all():
        raise Refused(
            f"the vectors of the embedding endpoint at {host} cannot be compared",
            remedy="Check which model it serves",
        )
    return vectors


@dataclass(frozen=True)
class Ranking:
    """Texts in the order of how near they are to what was asked."""

    places: tuple[int, ...]
    """Of the texts that are near enough to be shown, the nearest first."""

    notes: tuple[str, ...] = ()
    """What to tell who asked."""


def rank_templates(
    texts: Sequence[str], query: str, embedding: Embedding | None = None, *, with_concepts: bool = True
) -> Ranking:
    """The texts that may mean what `query` says, nearest first; none when nothing is like it.

    Raises:
        BadArgument: the query holds no word.
    """
    if not _stems(query):
        raise BadArgument(
            "no word says what is meant", remedy="Write it as you would say it: ran out of credits"
        )
    scores = _scores(texts, query, with_concepts=with_concepts)
    order = sorted(range(len(texts)), key=lambda place: (-scores[place], place))
    best = scores[order[0]] if order else 0.0
    near = [place for place in order if scores[place] > 0 and scores[place] >= best * _LEAST_SHARE]
    if embedding is None or not texts:
        return Ranking(tuple(near))
    try:
        vectors = _remembered_vectors(texts, embedding)
        wanted = embedding.vectors([_sent(query)])[0]
    except LogpithError as error:
        return Ranking(tuple(near), (f"Ranked by words alone: {error.problem}.",))
    likeness = vectors @ wanted
    by_vector = np.argsort(-likeness, kind="stable").tolist()
    return Ranking(tuple(_fused(near, by_vector)[: max(len(near), 10)]))


def _fused(first: Sequence[int], second: Sequence[int]) -> list[int]:
    """Two orders as one, by reciprocal rank."""
    scores: Counter[int] = Counter()
    for order in (first, second):
        for rank, place in enumerate(order, 1):
            scores[place] += 1 / (_FUSION + rank)  # type: ignore[assignment]  # a Counter of floats
    return sorted(scores, key=lambda place: (-scores[place], place))


def _sent(text: str) -> str:
    """What leaves this machine: no secrets, not without end."""
    masked = without_secrets(text.encode("utf-8", "surrogateescape")).decode("utf-8", "replace")
    return masked[:_LONGEST_TEXT]


def _remembered_vectors(texts: Sequence[str], embedding: Embedding) -> NDArray[np.float32]:
    """The vectors of the templates, of which those that were not met before are asked for."""
    kind, key = (
        "vectors",
        re.sub(r"[^\w.-]", "_", f"{urlsplit(embedding.url).hostname}-{embedding.model}")[:100],
    )
    kept: dict[str, list[float]] = {}
    try:
        kept = msgspec.msgpack.decode(notes.read_note(kind, key) or b"\x80", type=dict[str, list[float]])
    except msgspec.MsgspecError:
        kept = {}
    sent = [_sent(text) for text in texts]
    new = list(dict.fromkeys(text for text in sent if text not in kept))
    if new:
        made = embedding.vectors(new)
        kept |= {text: vector.tolist() for text, vector in zip(new, made, strict=True)}
        notes.write_note(kind, key, msgspec.msgpack.encode(kept), _KEPT_VECTORS)
    return np.array([kept[text] for text in sent], np.float32)


# ── Words ───────────────────────────────────────────────────────────────────────────────────────────────────


def _scores(texts: Sequence[str], query: str, *, with_concepts: bool) -> list[float]:
    total = _bm25([_words_of(text) for text in texts], _words_of(query))
    total += _GRAM_WEIGHT * _bm25([_grams_of(text) for text in texts], _grams_of(query))
    if with_concepts:
        total += _CONCEPT_WEIGHT * _bm25([_concepts_of(text) for text in texts], _concepts_of(query))
        if _is_trouble(query):
            total *= np.array([_TROUBLE_FACTOR if _is_trouble(text) else 1.0 for text in texts])
    return [float(score) for score in total]


def _is_trouble(text: str) -> bool:
    """Whether a text speaks of something that went wrong."""
    return failure_words(text) or not _troubles().isdisjoint(_concepts_of(text))


def _bm25(documents: Sequence[Sequence[object]], query: Sequence[object]) -> NDArray[np.float64]:
    scores = np.zeros(len(documents))
    if not documents:
        return scores
    counted = [Counter(document) for document in documents]
    lengths = np.array([len(document) for document in documents], np.float64)
    damping = _SATURATION * (1 - _LENGTH_SHARE + _LENGTH_SHARE * lengths / max(lengths.mean(), 1e-9))
    for term, wanted in Counter(query).items():
        frequency = np.array([document[term] for document in counted], np.float64)
        having = int((frequency > 0).sum())
        if having:
            rarity = math.log(1 + (len(documents) - having + 0.5) / (having + 0.5))
            scores += min(wanted, 2) * rarity * frequency * (_SATURATION + 1) / (frequency + damping)
    return scores


@lru_cache(maxsize=8192)
def _stems(text: str) -> tuple[str, ...]:
    """The stems of all words in order, the little ones too; values (`<num>`) are none."""
    words = (
        word for match in _WORD.findall(text) if not match.startswith("<") for word in _HUMP.split(match)
    )
    return tuple(_stem(word.lower()) for word in words if word)


@lru_cache(maxsize=8192)
def _words_of(text: str) -> tuple[str, ...]:
    return tuple(stem for stem in _stems(text) if stem not in _LITTLE and len(stem) > 1)


@lru_cache(maxsize=8192)
def _grams_of(text: str) -> tuple[str, ...]:
    spelled = (f" {stem} " for stem in _words_of(text))
    return tuple(word[place : place + 3] for word in spelled for place in range(len(word) - 2))


@lru_cache(maxsize=8192)
def _concepts_of(text: str) -> tuple[int, ...]:
    """The concepts that a text speaks of, each once, in order."""
    by_first = _phrases()
    stems = _stems(text)
    found: set[int] = set()
    for place, stem in enumerate(stems):
        for phrase, concept in by_first.get(stem, ()):
            if stems[place : place + len(phrase)] == phrase:
                found.add(concept)
    return tuple(sorted(found))


@cache
def _phrases() -> dict[str, list[tuple[tuple[str, ...], int]]]:
    """The phrases of the table by their first stem, each with its concept."""
    by_first: dict[str, list[tuple[tuple[str, ...], int]]] = {}
    for concept, line in enumerate(CONCEPTS):
        for phrase in _unique(_stems(part) for part in line.removeprefix("!").split(",")):
            by_first.setdefault(phrase[0], []).append((phrase, concept))
    return by_first


@cache
def _troubles() -> frozenset[int]:
    """The concepts that are trouble in themselves."""
    return frozenset(concept for concept, line in enumerate(CONCEPTS) if line.startswith("!"))


def _unique(phrases: Iterable[tuple[str, ...]]) -> Iterable[tuple[str, ...]]:
    return dict.fromkeys(phrase for phrase in phrases if phrase)


def _stem(word: str) -> str:
    """A word without its ending, as far as four letters are left: `exceeded`, `exceeds` → `exceed`."""
    for ending, instead in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("ss"):
            stem = word[: len(word) - len(ending)] + instead
            # stopped → stop
            return stem[:-1] if len(stem) > 3 and stem[-1] == stem[-2] and stem[-1] not in "lse" else stem
    return word
