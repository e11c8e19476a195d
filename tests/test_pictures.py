"""The pictures of the docs are made of what commands print, and of nothing from another host."""

import html
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "docs" / "pictures"
WORDS = {
    "overview": ("suspect", "quota_exceeded", "status=402"),
    "cluster": ("templates in", "turn finished", "health check ok"),
    "timeline": ("in 24 buckets of 1 h", "2026-11-20T16:00", "████"),
}

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no pseudo terminal")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    subprocess.run([sys.executable, str(PICTURES / "make.py"), str(folder)], check=True)
    return folder


@pytest.mark.parametrize("name", WORDS)
@pytest.mark.parametrize("is_kept", [True, False], ids=["kept", "made anew"])
def test_a_picture_holds_the_words_of_the_answer_and_names_no_place_to_load_from(made, name, is_kept):
    folder = PICTURES if is_kept else made

    svg = (folder / f"{name}.svg").read_text(encoding="utf-8")

    shown = html.unescape(svg).replace("\xa0", " ")
    assert all(word in shown for word in WORDS[name])
    assert len(svg) < 120_000
    assert "@font-face" not in svg
    assert "url(http" not in svg
    assert "/tmp" not in svg
