"""What text intelligence keeps of transcripts: vectors, summaries, conversations.

Runs in database threads.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db import connection
from django.db.models import QuerySet
from numpy.typing import NDArray

from auricle.core.errors import NotFound
from auricle.library.models import Conversation, Segment, Summary, Transcript, Turn, Vector
from auricle.library.words import to_segment
from auricle.text.retrieve import nearest
from auricle.text.source import Piece, Source
from auricle.transcript.search import lexemes

F32 = NDArray[np.float32]

BLOCK = 4096
"""Vectors that are compared at a time: 6 MB."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A segment that was found."""

    segment: int
    score: float


def source_of(row: Transcript) -> Source:
    """A transcript as the text worker takes it."""
    pieces = tuple(_piece(segment, row) for segment in row.segments.all())
    return Source(pieces, row.language)


def _piece(segment: Segment, row: Transcript) -> Piece:
    said = to_segment(segment, row.speaker_names)
    return Piece(said.text, segment.order, said.start, said.end, said.speaker, segment.pk)


def pieces_of(ids: Sequence[int]) -> dict[int, tuple[Transcript, Piece]]:
    """Segments with their transcripts, by their number."""
    rows = Segment.objects.filter(pk__in=ids).select_related("transcript")
    return {row.pk: (row.transcript, _piece(row, row.transcript)) for row in rows}


def without_vector(transcripts: QuerySet[Transcript], most: int) -> list[tuple[int, str]]:
    """Segments that have no vector yet, with their text."""
    rows = Segment.objects.filter(transcript__in=transcripts, vector=None).order_by("id")[:most]
    return [(row.pk, "".join(word[0] for word in row.words).strip()) for row in rows]


def keep_vectors(segments: Iterable[int], vectors: F32) -> None:
    """Store segments' vectors; those of segments that are gone are dropped."""
    given = dict(zip(segments, vectors, strict=True))
    there = Segment.objects.filter(pk__in=list(given)).values_list("pk", flat=True)
    rows = [Vector(segment_id=pk, values=given[pk].astype("<f4").tobytes()) for pk in there]
    Vector.objects.bulk_create(rows, ignore_conflicts=True)


def by_meaning(transcripts: QuerySet[Transcript], question: F32, most: int) -> list[Hit]:
    """The segments nearest to a question, best first: compared with all, block by block."""
    rows = Vector.objects.filter(segment__transcript__in=transcripts)
    found: list[Hit] = []
    stream = rows.values_list("segment_id", "values").iterator(BLOCK)
    for block in _blocks(stream):
        ids = [pk for pk, _ in block]
        vectors = np.frombuffer(b"".join(bytes(v) for _, v in block), "<f4")
        near = nearest(question, vectors.reshape(len(block), -1), most)
        found += [Hit(ids[place], score) for place, score in near]
        found = sorted(found, key=lambda hit: -hit.score)[:most]
    return found


def _blocks(rows: Iterable[tuple[int, Any]]) -> Iterable[list[tuple[int, Any]]]:
    block: list[tuple[int, Any]] = []
    for row in rows:
        block.append(row)
        if len(block) == BLOCK:
            yield block
            block = []
    if block:
        yield block


_BY_WORDS = """
SELECT s.id, ts_rank_cd(s.search, q) FROM library_segment s, CAST(%s AS tsquery) q
WHERE s.transcript_id = ANY(%s) AND s.search @@ q ORDER BY 2 DESC, s.id LIMIT %s
"""


def by_words(transcripts: QuerySet[Transcript], asked: str, most: int, *, every: bool) -> list[Hit]:
    """The segments that hold a question's words, every one or any, best first."""
    words = list(dict.fromkeys(lexemes(asked)))[:32]
    if not words:
        return []
    query = (" & " if every else " | ").join(f"'{word}'" for word in words)
    ids = list(transcripts.values_list("pk", flat=True))
    with connection.cursor() as cursor:
        cursor.execute(_BY_WORDS, [query, ids, most])
        return [Hit(pk, float(score)) for pk, score in cursor.fetchall()]


def kept_summary(transcript: int, style: str) -> Summary | None:
    """The summary of a style that was made before."""
    return Summary.objects.filter(transcript=transcript, style=style).first()


def keep_summary(transcript: int, made: dict[str, Any]) -> Summary:
    """Store a summary in place of the one before."""
    row, _ = Summary.objects.update_or_create(
        transcript_id=transcript,
        style=made["style"],
        defaults={
            "text": made["summary"],
            "topics": made["topics"],
            "model": made["model"],
            "language": made["language"],
            "segments": made["coverage"]["segments"],
            "segments_read": made["coverage"]["read"],
        },
    )
    return row


def conversation(transcript: int, slug: str) -> Conversation:
    """A conversation that goes on, or a new one. Raises :class:`NotFound`."""
    if not slug:
        return Conversation.objects.create(transcript_id=transcript)
    row = Conversation.objects.filter(transcript=transcript, slug=slug).first()
    if row is None:
        raise NotFound(f"There is no session {slug[:30]!r} about this transcript.")
    return row


def history(row: Conversation) -> tuple[tuple[str, str], ...]:
    """Questions and answers so far."""
    return tuple((turn.question, turn.answer) for turn in row.turns.all())


def keep_turn(
    row: Conversation, question: str, answer: str, sources: list[Any], model: str
) -> Turn:
    """Add a question and its answer."""
    return Turn.objects.create(
        conversation=row, question=question, answer=answer, sources=sources, model=model
    )
