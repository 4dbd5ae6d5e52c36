"""What a model has written, sentence by sentence: kept where the transcript holds it.

Small models run in circles, fill in forms ("[Your Name]"), answer in another language and make up
names and numbers. Each sentence stands or falls by itself, so that one of them spoils no text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from num2words import num2words

from auricle.text.asking import speaks_to_a_model
from auricle.text.llm import LLM, is_small
from auricle.text.source import Piece
from auricle.transcript.search import lexemes

LEAST_SHARE = 0.7
"""Share of a sentence's words that neighbouring segments hold, or a small model has made it up."""

LEAST_TITLE = 0.67
"""The same for titles, which are put more freely."""

CLAUSE = 3
"""Words that say something by themselves."""

ALIKE = 0.75
"""Share of words from which on two sentences say the same."""

STEM = 5
"""Letters at the beginning of a word that its forms have in common, about."""

_PLACEHOLDER = re.compile(
    r"\[[^\]\d]*\]|<[/\w|]|\{\w|_{3,}|\b(?:XX+|TBD|TODO|lorem ipsum)\b|https?:|www\.|@\w",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"\d+")
_INNER_WORD = re.compile(r"(?<=[\w,] )[^\W\d_]{3,}")
"""A word that does not begin a sentence."""


class Said:
    """What a transcript holds, for sentences to be compared with."""

    def __init__(
        self,
        pieces: Sequence[Piece],
        llm: LLM,
        language: str,
        written_in: str,
        notes: Sequence[Piece] = (),
    ) -> None:
        """``notes`` were made of the pieces: what stands beside each other there does not belong
        together."""
        words = [stems(f"{piece.speaker or ''} {piece.text}") for piece in pieces]
        alone = [stems(note.text) for note in notes]
        near = [set().union(*words[max(0, n - 1) : n + 2]) for n in range(len(words))]
        self._near = [*near, *alone]
        self._all: set[str] = set().union(*words, *alone)
        self._language = language
        self.same_language = language == written_in
        self.strict = self.same_language and is_small(llm)
        """Whether words are compared: models on servers of their own may put things freely, and in
        another language all words are others."""

    def holds(self, sentence: str, least: float = LEAST_SHARE) -> bool:
        """Whether a sentence is proper, and nothing in it is made up as far as words can tell."""
        if _PLACEHOLDER.search(sentence) or speaks_to_a_model(sentence) or circles(sentence):
            return False
        if not all(self._numbered(number) for number in _NUMBER.findall(sentence)):
            return False
        if not self.strict:
            return True
        names = stems(" ".join(_capitalised(sentence))) if least == LEAST_SHARE else set()
        if not self._all.issuperset(names):
            return False
        words = telling(sentence)
        place = max(self._near, key=lambda near: len(words & near), default=set())
        share = len(words & place) / max(1, len(words))
        return share >= least and not self._elsewhere(words - place)

    def _numbered(self, number: str) -> bool:
        spelled = _spelled(number, self._language)
        return number in self._all or (bool(spelled) and self._all.issuperset(spelled))

    def _elsewhere(self, rest: set[str]) -> bool:
        """Whether what one place does not hold of a sentence was said at another: then two things
        were made one."""
        return len(rest) >= CLAUSE and any(rest <= near for near in self._near)


def stems(text: str) -> set[str]:
    """The beginnings of a text's words."""
    return {word if word.isdigit() else word[:STEM] for word in lexemes(text)}


def _spelled(number: str, language: str) -> set[str]:
    """The words that a number is said with; none where they are not known."""
    try:
        return stems(num2words(int(number), lang=language))
    except (NotImplementedError, OverflowError):
        return set()


def telling(text: str) -> set[str]:
    """The same of the words that say something; all of them where none is long."""
    every = lexemes(text)
    long = [word for word in every if len(word) > 3 or word > "\u0dff" or word.isdigit()]
    return stems(" ".join(long or every))


def circles(text: str) -> bool:
    """Whether a text says the same words three times on end, or four times in all."""
    words = lexemes(text)
    for length in range(1, len(words) // 3 + 1):
        for at in range(len(words) - 3 * length + 1):
            run = words[at : at + length]
            if (
                run
                == words[at + length : at + 2 * length]
                == words[at + 2 * length : at + 3 * length]
            ):
                return True
    pairs = list(zip(words, words[1:], words[2:], strict=False))
    return any(pairs.count(each) > 3 for each in set(pairs))


def alike(one: str, other: str) -> bool:
    """Whether two sentences say the same, by their words."""
    if _NUMBER.findall(one) != _NUMBER.findall(other):
        return False
    names, others = _capitalised(one), _capitalised(other)
    if names - others and others - names:
        return False
    a, b = telling(one), telling(other)
    return len(a & b) >= ALIKE * min(len(a), len(b)) > 0


def _capitalised(sentence: str) -> set[str]:
    """The words with a capital inside a sentence: names, and German nouns."""
    return {word for word in _INNER_WORD.findall(sentence) if word[0].isupper()}


def unlike(sentences: Iterable[str], before: Sequence[str] = ()) -> list[str]:
    """Sentences without those that say what one before them says."""
    kept: list[str] = []
    for sentence in sentences:
        if not any(alike(sentence, other) for other in (*before, *kept)):
            kept.append(sentence)
    return kept
