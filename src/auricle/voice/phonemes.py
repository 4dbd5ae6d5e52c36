"""From words to the phonemes that Kokoro was trained with, without espeak-ng, which is GPL.

English is misaki's, the program that Kokoro's own training text went through: a dictionary, and
rules for what depends on the part of speech. What it does not know, and the other languages, are
g2p2's: models made from WikiPron. Their IPA is brought to Kokoro's spelling.
"""

from __future__ import annotations

import lzma
import re
import unicodedata
from pathlib import Path
from typing import Any

import g2p2
import spacy
from misaki import en

_MARKS = ",.!?;:—…"
_TOKENS = re.compile(r"[^\W_]+['’]?|[,.!?;:—…]")

_SPELLING = (
    ("t͡ʃ", "ʧ"),
    ("d͡ʒ", "ʤ"),
    ("t͡s", "ʦ"),
    ("d͡z", "ʣ"),
    ("tʃ", "ʧ"),
    ("dʒ", "ʤ"),
    ("g", "ɡ"),
    ("ɱ", "m"),
    *((mark, "") for mark in "\u0361\u031e\u032a\u032f\u0329\u0325"),
)
_AMERICAN = (
    ("eɪ", "A"),
    ("aɪ", "I"),
    ("əʊ", "O"),
    ("oʊ", "O"),
    ("aʊ", "W"),
    ("ɔɪ", "Y"),
    ("ɜː", "ɜɹ"),
    ("ː", ""),
    ("r", "ɹ"),
)
_BRITISH = (("eɪ", "A"), ("aɪ", "I"), ("əʊ", "Q"), ("oʊ", "Q"), ("aʊ", "W"), ("ɔɪ", "Y"))

_ELIDED = {
    "fr": {
        **{"c": "s", "d": "d", "j": "ʒ", "l": "l", "m": "m", "n": "n", "s": "s", "t": "t"},
        **{"qu": "k", "jusqu": "ʒysk", "lorsqu": "lɔʁsk", "puisqu": "pɥisk"},
    },
    "it": {"c": "ʧ", "d": "d", "l": "l", "m": "m", "n": "n", "s": "s", "t": "t", "v": "v"},
}
"""Words that have lost their vowel, which no dictionary has."""

_ALONE = {"fr": {"y": "i", "à": "a", "a": "a"}}
"""Words of one letter that the models take for the letter's name."""

_BRAZILIAN = [
    (re.compile(pattern), ours)
    for pattern, ours in (
        ("ɨʃ$", "is"),
        ("ɨ$", "i"),
        ("ɨ", "e"),
        ("ʃ(?=[ptkfsʧ]|$)", "s"),
        ("ʒ(?=[bdɡvzmnlɾʤ])", "z"),
        ("t(?=ɪ|i$|is$|i[aɐeo])", "ʧ"),
        ("d(?=ɪ|i$|is$|i[aɐeo])", "ʤ"),
        ("(?<!\u0303)ɐj", "ej"),
        ("ɐ(?!\u0303|$)", "a"),
    )
]
"""From Portugal's sounds to Brazil's, which Kokoro's voices speak."""

_DOUBLED = re.compile(r"([bdfklmnprstvzɡʃʣʤʦʧ])\1")


def read_model(file: Path) -> Any:
    """A model of g2p2's, as its packages carry it."""
    with lzma.open(file) as packed:
        return g2p2.Model.from_bytes(packed.read())


class English:
    """American or British. Not to be used by two threads at a time."""

    def __init__(self, tagger: Path, unknown_words: Path, *, british: bool) -> None:
        """``tagger`` is the folder of spaCy's en_core_web_sm."""
        self._model = read_model(unknown_words)
        self._vowels = _BRITISH if british else _AMERICAN
        self._misaki: Any = _Misaki(tagger, british=british)
        self._misaki.fallback = self._guess

    def phonemes(self, text: str) -> str:
        """What a text sounds like."""
        found: str = self._misaki(text)[0]
        return found

    def _guess(self, token: Any) -> tuple[str, int]:
        sounds = _spelled(self._model.phonemize(token.text.lower()))
        for ours, theirs in self._vowels:
            sounds = sounds.replace(ours, theirs)
        return f"ˈ{sounds}" if sounds else "", 1


class _Misaki(en.G2P):  # type: ignore[misc]
    """misaki's, with spaCy's model from a folder: by itself it would download one."""

    def __init__(self, tagger: Path, *, british: bool) -> None:
        self.version = None
        self.british = british
        self.nlp = spacy.load(tagger, enable=["tok2vec", "tagger"])
        self.lexicon = en.Lexicon(british)
        self.fallback: Any = None
        self.unk = ""


class Romance:
    """French, Italian, Portuguese, Spanish."""

    def __init__(self, words: Path, language: str) -> None:
        """``language`` is one of two letters."""
        self._model = read_model(words)
        self._language = language

    def phonemes(self, text: str) -> str:
        """What a text sounds like."""
        found, joined = "", True
        for token in _TOKENS.findall(text.lower().replace("’", "'")):
            if token in _MARKS:
                found, joined = found + token, False
                continue
            found += ("" if joined else " ") + self._word(token)
            joined = token.endswith("'")
        return found

    def _word(self, token: str) -> str:
        word = token.removesuffix("'")
        if word != token and (elided := _ELIDED.get(self._language, {}).get(word)):
            return elided
        if alone := _ALONE.get(self._language, {}).get(word):
            return alone
        sounds = _spelled(self._model.phonemize(word))
        if self._language == "it":
            return _DOUBLED.sub(r"\1ː", sounds)
        if self._language == "pt":
            for theirs, ours in _BRAZILIAN:
                sounds = theirs.sub(ours, sounds)
        return sounds


def _spelled(ipa: str) -> str:
    sounds = unicodedata.normalize("NFD", ipa)
    for theirs, ours in _SPELLING:
        sounds = sounds.replace(theirs, ours)
    return sounds
