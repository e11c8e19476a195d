"""Mined templates: remembered between processes, and every id that was ever shown leads somewhere."""

import random

import pytest

from logpith.corpus import cache, mining
from logpith.corpus.clusters import cluster_of
from logpith.corpus.desk import Desk
from logpith.templates.mine import mine
from logpith_emit.errors import NotFound


@pytest.fixture(autouse=True)
def cache_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("LOGPITH_CACHE_DIR", str(tmp_path / "cache"))


def lines(count, seed=1):
    chance = random.Random(seed)
    users = ["anna", "bert", "cleo", "dora", "emil", "fritz", "gabi", "hans"]
    made = []
    for second in range(count):
        said = chance.choice(
            [
                f"INFO session opened for user {chance.choice(users)}",
                f"INFO state changed to {chance.choice(['up', 'down', 'idle'])} after {second} s",
                f"WARN job {chance.choice(users)} waits: {chance.choice(['lock', 'disk', 'net'])}",
                f"ERROR cannot open {chance.choice(['/a/b', '/c', 'x.db'])}: gone",
            ]
        )
        made.append(f"2026-11-20 10:00:{second % 60:02} {said}")
    return made


def test_what_was_mined_once_is_not_mined_again(tmp_path, monkeypatch):
    path = tmp_path / "app.log"
    path.write_text("\n".join(lines(300)) + "\n")
    first = Desk().open([str(path)])
    texts = [template.text for template in first.templates.templates]
    monkeypatch.setattr(mining, "mine", None)

    again = Desk().open([str(path)])

    assert [template.text for template in again.templates.templates] == texts
    assert again.template.tolist() == first.template.tolist()


def test_a_damaged_note_is_mined_anew(tmp_path):
    path = tmp_path / "app.log"
    path.write_text("\n".join(lines(300)) + "\n")
    texts = [template.text for template in Desk().open([str(path)]).templates.templates]
    (note,) = (cache.cache_dir() / "templates").iterdir()
    for place in (0, 20, len(note.read_bytes()) - 1):
        data = bytearray(note.read_bytes())
        data[place] ^= 1
        note.write_bytes(data)

        assert [one.text for one in Desk().open([str(path)]).templates.templates] == texts


def test_every_id_ever_shown_leads_to_the_template_that_has_its_records_now(tmp_path):
    path = tmp_path / "app.log"
    everything = lines(400)
    shown = {}
    for tenth in range(1, 11):
        path.write_text("\n".join(everything[: 4 * tenth * tenth]) + "\n")
        corpus = Desk().open([str(path)])
        shown |= {template.id: template.samples[0] for template in corpus.templates.templates}

    corpus = Desk().open([str(path)])
    now = {template.id for template in corpus.templates.templates}

    assert set(shown) - now  # some templates have become others, or this shows nothing
    for former, body in shown.items():
        leader = corpus.templates.templates[cluster_of(corpus, former).leader]
        words = set(body.decode().split()[:2])
        assert words & set(leader.text.split()), (former, body, leader.text)


def test_an_id_that_was_never_shown_is_not_found(tmp_path):
    path = tmp_path / "app.log"
    path.write_text("\n".join(lines(50)) + "\n")
    corpus = Desk().open([str(path)])
    Desk().open([str(path)]).templates  # noqa: B018  mined, so that there is something to search

    with pytest.raises(NotFound, match="log_cluster"):
        cluster_of(corpus, "0123456789ab")


def test_an_id_of_another_log_with_nothing_in_common_is_not_found(tmp_path):
    one, other = tmp_path / "one.log", tmp_path / "other.log"
    one.write_text("\n".join(lines(50)) + "\n")
    other.write_text("alpha beta gamma 1\nalpha beta gamma 2\n")
    theirs = Desk().open([str(other)]).templates.templates[0].id

    with pytest.raises(NotFound):
        cluster_of(Desk().open([str(one)]), theirs)


def test_shapes_say_what_they_look_like_by_themselves(tmp_path):
    path = tmp_path / "app.log"
    path.write_text("\n".join(lines(300)) + "\n")
    corpus = Desk().open([str(path)])

    texts = corpus.mined.shape_texts

    assert len(texts) == len(corpus.shapes)
    assert any(text == "session opened for user anna" for text in texts)
    assert mine(corpus.shapes).templates == corpus.templates.templates
