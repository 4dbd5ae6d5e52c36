"""What the formats with pages (DOCX, PDF) have in common: a heading, and paragraphs with times."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from auricle.transcript.export.writing import Writing, script_of, writing_of
from auricle.transcript.languages import NAMES
from auricle.transcript.model import Segment
from auricle.transcript.transcript import Transcript

PARAGRAPH_S = 30.0
"""A paragraph lasts at most this long, so that a time is never far from a word."""

LEFT_TO_RIGHT_MARK = "\u200e"
RIGHT_TO_LEFT_MARK = "\u200f"

_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
"""What XML 1.0 has no place for (https://www.w3.org/TR/xml/#charsets), and other controls."""


@dataclass(frozen=True, slots=True)
class Paragraph:
    """What one speaker says in one script, half a minute of it or a single segment."""

    clock: str
    """Where it begins, ``H:MM:SS``."""
    speaker: str
    """``""`` where there is none, and unless several speak."""
    text: str
    writing: Writing


@dataclass(frozen=True, slots=True)
class Document:
    """A transcript, ready for pages. Its texts hold no control characters."""

    title: str
    title_writing: Writing
    about: str
    paragraphs: tuple[Paragraph, ...]


def lay_out(transcript: Transcript, title: str) -> Document:
    """Head a transcript with its title (or with "Transcript") and cut it into paragraphs."""
    language = transcript.language
    named = len(transcript.speakers) > 1
    title = printable(title).strip() or "Transcript"
    return Document(
        title,
        writing_of(title, language),
        _about(transcript),
        tuple(_paragraph(group, language, named=named) for group in _groups(transcript)),
    )


def printable(text: str) -> str:
    """The text with U+FFFD for every character that a document cannot hold."""
    return _FORBIDDEN.sub("\ufffd", text)


def _about(transcript: Transcript) -> str:
    language = NAMES.get(transcript.language, transcript.language).title()
    facts = {
        "Duration": _clock(transcript.duration),
        "Language": language,
        "Model": printable(transcript.model),
    }
    return " · ".join(f"{name}: {fact}" for name, fact in facts.items() if fact)


def _groups(transcript: Transcript) -> Iterator[list[Segment]]:
    group: list[Segment] = []
    group_script = ""
    for segment in transcript.segments:
        script = script_of(segment.text, transcript.language)
        if group and (script != group_script or _parts(group[0], segment)):
            yield group
            group = []
        group.append(segment)
        group_script = script
    if group:
        yield group


def _parts(first: Segment, segment: Segment) -> bool:
    """Whether a segment cannot stand in the paragraph that ``first`` begins."""
    return segment.speaker != first.speaker or segment.end - first.start > PARAGRAPH_S


def _paragraph(group: Iterable[Segment], language: str, *, named: bool) -> Paragraph:
    words = [word for segment in group for word in segment.words]
    text = printable("".join(word.text for word in words)).strip()
    writing = writing_of(text, language)
    speaker = _name(printable(words[0].speaker or ""), writing) if named else ""
    return Paragraph(_clock(words[0].start), speaker, text, writing)


def _name(speaker: str, writing: Writing) -> str:
    """The speaker; a name that runs against the paragraph ends in a mark (U+200E, U+200F) that
    keeps it from turning a number after it around."""
    if writing_of(speaker, "").right_to_left == writing.right_to_left:
        return speaker
    return speaker + (RIGHT_TO_LEFT_MARK if writing.right_to_left else LEFT_TO_RIGHT_MARK)


def _clock(seconds: float) -> str:
    whole = int(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"
