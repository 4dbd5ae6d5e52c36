"""Words as they are looked for: one rule for what is stored and for what is asked.

Scripts that are written without blanks are taken letter by letter, and what was asked is looked for
as a phrase: so it is found wherever a model has put its word borders.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator

_UNSPACED = (
    *("CJK ", "HIRAGANA ", "KATAKANA ", "BOPOMOFO "),
    *("THAI ", "LAO ", "KHMER ", "MYANMAR ", "TIBETAN "),
)
"""How Unicode names the letters of scripts without blanks between words."""


def lexemes(text: str) -> list[str]:
    """The units of a text that are looked for, in order: words in lower case, or single letters."""
    return list(_lexemes(unicodedata.normalize("NFKC", text).casefold()))


def tsvector(texts: Iterable[str]) -> str:
    """PostgreSQL's notation of a text's lexemes with their positions."""
    found = (lexeme for text in texts for lexeme in lexemes(text))
    # Positions end at 16383; a segment never comes near.
    return " ".join(f"'{lexeme}':{place}" for place, lexeme in enumerate(found, 1))


def tsquery(asked: str) -> str:
    """PostgreSQL's notation of a phrase to look for; nothing where nothing can be looked for."""
    return " <-> ".join(f"'{lexeme}'" for lexeme in lexemes(asked))


def _lexemes(text: str) -> Iterator[str]:
    word = ""
    for char in text:
        if unicodedata.category(char)[0] not in "LNM":
            if word:
                yield word
            word = ""
        elif _stands_alone(char):
            if word:
                yield word
            yield char
            word = ""
        else:
            word += char
    if word:
        yield word


def _stands_alone(char: str) -> bool:
    return char > "\u0dff" and unicodedata.name(char, "").startswith(_UNSPACED)
