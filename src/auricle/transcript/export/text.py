"""Plain text: one paragraph, or one for each turn when there are several speakers."""

from __future__ import annotations

from itertools import groupby

from auricle.transcript.transcript import Transcript


def to_txt(transcript: Transcript) -> str:
    """Render as plain text that ends in a newline (nothing at all for silence)."""
    if len(transcript.speakers) < 2:
        return f"{transcript.text}\n" if transcript.words else ""
    turns = groupby(transcript.words, key=lambda word: word.speaker)
    return "".join(
        f"{speaker}: {''.join(word.text for word in words).strip()}\n" for speaker, words in turns
    )
