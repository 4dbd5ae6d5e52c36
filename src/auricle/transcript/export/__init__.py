"""Transcripts as files. :data:`FORMATS` is the one table of export formats."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from auricle.transcript.export.json import to_json
from auricle.transcript.export.subtitles import to_srt, to_vtt
from auricle.transcript.export.text import to_txt
from auricle.transcript.transcript import Transcript

__all__ = ["FORMATS", "Format"]


@dataclass(frozen=True, slots=True)
class Format:
    """One way to write a transcript down."""

    name: str
    media_type: str
    render: Callable[[Transcript], str]


FORMATS: dict[str, Format] = {
    fmt.name: fmt
    for fmt in (
        Format("txt", "text/plain; charset=utf-8", to_txt),
        Format("srt", "application/x-subrip; charset=utf-8", to_srt),
        Format("json", "application/json", to_json),
        Format("vtt", "text/vtt; charset=utf-8", to_vtt),
    )
}
