"""Words and segments as rows, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib.postgres.search import SearchVectorField
from django.db.models import Value
from django.db.models.functions import Cast

from auricle.library.models import Segment as SegmentRow
from auricle.library.models import Transcript as TranscriptRow
from auricle.transcript import Segment, Transcript, Word
from auricle.transcript.search import tsvector

Row = list[Any]
"""``[text, start, end, probability, speaker]``"""


def to_row(word: Word) -> Row:
    """A word as it is stored."""
    return [word.text, word.start, word.end, round(word.probability, 4), word.speaker]


def to_word(row: Row) -> Word:
    """A stored word."""
    return Word(*row)


def search_vector(words: Sequence[Word]) -> Cast:
    """What full-text search sees of a segment."""
    # Letters of one script follow each other across words; a blank ends a word of the others.
    return Cast(Value(tsvector(["".join(word.text for word in words)])), SearchVectorField())


def new_segment(transcript: int, order: int, segment: Segment) -> SegmentRow:
    """A segment as it will be stored, at its place in a transcript."""
    return SegmentRow(
        transcript_id=transcript,
        order=order,
        words=[to_row(word) for word in segment.words],
        speaker=segment.speaker or "",
        search=search_vector(segment.words),
    )


def to_segment(row: SegmentRow, names: dict[str, str]) -> Segment:
    """A stored segment, with the names that people have given to its speakers."""
    words = (to_word(word) for word in row.words)
    return Segment(
        tuple(
            Word(w.text, w.start, w.end, w.probability, names.get(w.speaker or "", w.speaker))
            for w in words
        )
    )


def to_transcript(row: TranscriptRow) -> Transcript:
    """A finished transcript as the rest of the house knows it."""
    segments = tuple(to_segment(segment, row.speaker_names) for segment in row.segments.all())
    return Transcript(
        words=tuple(word for segment in segments for word in segment.words),
        language=row.language,
        language_probability=row.language_probability,
        duration=row.duration,
        model=row.model,
        edited=segments,
    )
