"""Pages escape what they are given, and stay within their size."""

import base64
import hashlib
import re

import numpy as np
import pytest

from vfplan.output import page as pages
from vfplan.output.page import Chapter, Listing, Note, Page, Picture, Section, Share, Table, render
from vfplan.output.video import png_bytes

EVIL = "</code></pre><script>alert('x')</script>\"&"


def page(*items):
    return Page("Title", {}, (Chapter((Section("Part", "", items),)),))


def picture(seed, size=64, name="noise.png"):
    return Picture(name, png_bytes(np.random.default_rng(seed).integers(0, 256, (size, size, 3), np.uint8)), "Noise.")


def test_every_text_is_escaped():
    items = (
        Table((EVIL,), ((EVIL,), (Share(0.5, 0.25, 0.75),)), EVIL),
        Picture(EVIL, picture(0).content, EVIL),
        Note(EVIL),
        Listing(EVIL, EVIL),
    )
    section = Section(EVIL, EVIL, items, EVIL, EVIL, EVIL)
    text = render(Page(EVIL, {EVIL: EVIL}, (Chapter((section,), EVIL, EVIL, {EVIL: EVIL}),), EVIL))
    assert "<script" not in text and "alert(&#39;x&#39;)" in text
    assert EVIL not in text


def test_the_largest_pictures_are_left_out_first(monkeypatch):
    small, large = picture(0), picture(1, 256, "large.png")
    assert "large.png" in render(page(small, large)) and "left out" not in render(page(small, large))
    monkeypatch.setattr(pages, "MOST_BYTES", 250_000)
    monkeypatch.setattr(pages, "TEXT_BYTES", 50_000)
    text = render(page(large, small))
    assert len(text) < 250_000 and small.source in text
    assert "large.png (0.2 MB) is left out: a page has at most" in text


@pytest.mark.parametrize("content", [b"", b"<svg>", b"\xff\xd8\xff JPEG", b"GIF"])
def test_other_content_is_no_picture(content):
    with pytest.raises(ValueError, match="neither PNG nor GIF"):
        _ = Picture("a.png", content, "").source


def test_the_style_is_the_one_that_the_policy_allows():
    text = render(page())
    (style,) = re.findall("<style>(.*?)</style>", text, flags=re.DOTALL)
    assert "style=" not in text
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"sha256-{digest}" in text.replace("&#43;", "+")


def test_words_stand_left_and_numbers_right():
    table = Table(("row", "value", "note"), (("a", "1.0", "yes"), ("2", "-", "")), "")
    assert table.prose == {0, 2}


def test_characters_that_no_file_can_hold_are_replaced():
    assert "a?b" in render(page(Note("a\ud800b")))
