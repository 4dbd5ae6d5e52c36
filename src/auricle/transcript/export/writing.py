"""How a text is written: its script, its direction, and the language to typeset it in.

A transcript has one language, but people switch, and one code may mean several scripts (Whisper's
``zh`` is simplified or traditional). Fonts, directions and language tags follow the text itself.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from enum import Enum, auto


class Kind(Enum):
    """The three ways in which Office picks a font (ECMA-376 part 1, 17.3.2.26)."""

    SIMPLE = auto()
    EAST_ASIAN = auto()
    COMPLEX = auto()


@dataclass(frozen=True, slots=True)
class Writing:
    """What a typesetter has to know about a text."""

    tag: str
    """BCP 47: ``vi``, ``zh-TW``. Only East Asian tags have a region."""
    kind: Kind
    right_to_left: bool


SIMPLE_LETTERS = r"A-Za-zª-\u058f\u10a0-\u10ff\u1200-\u139f\u1e00-\u1fff"
"""Latin, Greek, Cyrillic, Armenian, Georgian and Ethiopic, for a regular expression."""

_SCRIPTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "simple": (SIMPLE_LETTERS, ()),
    "east_asian": (
        r"\u1100-\u11ff\u3005-\u3007\u3041-\u318f\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
        r"\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff",
        ("zh", "yue", "ja", "ko"),
    ),
    "arabic": (
        r"\u0600-\u06ff\u0750-\u077f\u08a0-\u08ff\ufb50-\ufdff\ufe70-\ufefc",
        ("ar", "fa", "ur", "ps", "sd"),
    ),
    "hebrew": (r"\u0590-\u05ff\ufb1d-\ufb4f", ("he", "yi")),
    "devanagari": (r"\u0900-\u097f", ("hi", "mr", "ne", "sa")),
    "bengali": (r"\u0980-\u09ff", ("bn", "as")),
    "gurmukhi": (r"\u0a00-\u0a7f", ("pa",)),
    "gujarati": (r"\u0a80-\u0aff", ("gu",)),
    "tamil": (r"\u0b80-\u0bff", ("ta",)),
    "telugu": (r"\u0c00-\u0c7f", ("te",)),
    "kannada": (r"\u0c80-\u0cff", ("kn",)),
    "malayalam": (r"\u0d00-\u0d7f", ("ml",)),
    "sinhala": (r"\u0d80-\u0dff", ("si",)),
    "thai": (r"\u0e00-\u0e7f", ("th",)),
    "lao": (r"\u0e80-\u0eff", ("lo",)),
    "tibetan": (r"\u0f00-\u0fff", ("bo",)),
    "myanmar": (r"\u1000-\u109f", ("my",)),
    "khmer": (r"\u1780-\u17ff", ("km",)),
}
"""Blocks of Unicode as a regular expression class, and Whisper's codes of the languages written in
them; the first is assumed where the transcript's language is another."""

_RUNS = re.compile("|".join(f"(?P<{name}>[{block}]+)" for name, (block, _) in _SCRIPTS.items()))
_HOME = {code: name for name, (_, codes) in _SCRIPTS.items() for code in codes}
_RIGHT = _SCRIPTS["arabic"][0] + _SCRIPTS["hebrew"][0]
_KANA = re.compile(r"[\u3041-\u30ff\u31f0-\u31ff\uff66-\uff9f]")
_HANGUL = re.compile(r"[\u1100-\u11ff\u3131-\u318e\uac00-\ud7a3]")
_REGIONS = {"ja": "ja-JP", "ko": "ko-KR", "yue": "zh-HK"}
_RENAMED = {"jw": "jv", "no": "nb"}
"""Whisper's codes that are not, or not exactly, what BCP 47 says."""


def script_of(text: str, language: str) -> str:
    """The name of the script that most letters are in; for no letters, the language's own."""
    counts: Counter[str] = Counter()
    for run in _RUNS.finditer(text):
        counts[run.lastgroup or ""] += len(run.group())
    return counts.most_common(1)[0][0] if counts else _HOME.get(language, "simple")


def writing_of(text: str, language: str) -> Writing:
    """Tell how to typeset a text of a transcript in ``language`` (Whisper's code, or ``""``)."""
    script = script_of(text, language)
    if script == "east_asian":
        return Writing(_east_asian_tag(text, language), Kind.EAST_ASIAN, right_to_left=False)
    if script == "simple":
        # Latin letters in a Hindi or Japanese recording: English more often than anything else.
        tag = "en" if language in _HOME else _RENAMED.get(language, language) or "en"
        return Writing(tag, Kind.SIMPLE, right_to_left=False)
    codes = _SCRIPTS[script][1]
    tag = language if language in codes else codes[0]
    return Writing(tag, Kind.COMPLEX, right_to_left=script in ("arabic", "hebrew"))


def _east_asian_tag(text: str, language: str) -> str:
    if _KANA.search(text):
        return "ja-JP"
    if _HANGUL.search(text):
        return "ko-KR"
    if language in _REGIONS:
        return _REGIONS[language]
    return "zh-TW" if _is_traditional(text) else "zh-CN"


def _is_traditional(text: str) -> bool:
    """Whether a Chinese text has more characters that only Taiwan's old character set knows than
    such that only the mainland's knows."""
    return sum(_in(char, "big5") - _in(char, "gb2312") for char in text) > 0


def _in(char: str, charset: str) -> bool:
    return char.encode(charset, "ignore") != b""


def directed(text: str, *, right_to_left: bool) -> list[tuple[str, bool]]:
    """Cut a paragraph into pieces that run one way, each with whether that is right to left.

    Numbers and punctuation between letters of one direction go with them, and so do numbers after
    them, as in the Unicode bidirectional algorithm (UAX 9, W7 and N1); all else goes with the
    paragraph.
    """
    pieces: list[tuple[str, bool]] = []
    done = 0
    for run in _AGAINST[right_to_left].finditer(text):
        if run.start() > done:
            pieces.append((text[done : run.start()], right_to_left))
        pieces.append((run.group(), not right_to_left))
        done = run.end()
    return [*pieces, (text[done:], right_to_left)] if done < len(text) else pieces


_LEFT_LETTER = rf"(?![{_RIGHT}])[^\W\d_]"
_RIGHT_LETTER = rf"[{_RIGHT}]"
_AGAINST = {
    True: re.compile(rf"{_LEFT_LETTER}(?:[^{_RIGHT}]*(?:{_LEFT_LETTER}|\d))?"),
    False: re.compile(
        rf"{_RIGHT_LETTER}(?:(?:(?!{_LEFT_LETTER}).)*(?:{_RIGHT_LETTER}|\d))?", re.DOTALL
    ),
}
"""What runs against a paragraph of the given direction."""
