"""Words as they are looked for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auricle.transcript.search import lexemes, tsquery, tsvector


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("The Quick, brown FOX's!", ["the", "quick", "brown", "fox", "s"]),
        ("今天开会 OK", ["今", "天", "开", "会", "ok"]),
        ("カレーを", ["カ", "レ", "ー", "を"]),
        ("ｶﾚｰ", ["カ", "レ", "ー"]),
        ("आज की बैठक", ["आज", "की", "बैठक"]),
        ("회의가 있다", ["회의가", "있다"]),
        ("Straße 3.14", ["strasse", "3", "14"]),
        ("... — !", []),
    ],
)
def test_words_of_every_script(text: str, found: list[str]) -> None:
    assert lexemes(text) == found


def test_words_have_places_and_a_question_is_a_phrase() -> None:
    assert tsvector(["Good day,", " 今天"]) == "'good':1 'day':2 '今':3 '天':4"
    assert tsquery("今天") == "'今' <-> '天'"
    assert tsquery("!?") == ""


@given(st.text())
def test_nothing_breaks_out_of_the_quotes(text: str) -> None:
    for lexeme in lexemes(text):
        assert lexeme
        assert not set(lexeme) & set("'\\ :|&!()<>*\0")
