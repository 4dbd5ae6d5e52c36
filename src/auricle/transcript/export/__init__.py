"""Transcripts as files. :data:`FORMATS` is the one table of export formats."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from auricle.transcript.export.csv import to_csv
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
    render: Callable[[Transcript, str], bytes]
    """Transcript and title to the file's content; formats without a place for a title drop it."""
    is_text: bool = True
    """Whether the content is UTF-8, which a terminal can show."""

    @property
    def suffix(self) -> str:
        """What the names of such files end in, without the dot."""
        return self.name


def _utf8(render: Callable[[Transcript], str]) -> Callable[[Transcript, str], bytes]:
    return lambda transcript, _title: render(transcript).encode()


def _docx(transcript: Transcript, title: str) -> bytes:
    from auricle.transcript.export.docx import to_docx  # noqa: PLC0415  (slow to import)

    return to_docx(transcript, title)


def _pdf(transcript: Transcript, title: str) -> bytes:
    from auricle.transcript.export.pdf import to_pdf  # noqa: PLC0415  (slow to import)

    return to_pdf(transcript, title)


FORMATS: dict[str, Format] = {
    fmt.name: fmt
    for fmt in (
        Format("txt", "text/plain; charset=utf-8", _utf8(to_txt)),
        Format("srt", "application/x-subrip; charset=utf-8", _utf8(to_srt)),
        Format("vtt", "text/vtt; charset=utf-8", _utf8(to_vtt)),
        Format("json", "application/json", _utf8(to_json)),
        Format("csv", "text/csv; charset=utf-8", _utf8(to_csv)),
        Format(
            "docx",
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            _docx,
            is_text=False,
        ),
        Format("pdf", "application/pdf", _pdf, is_text=False),
    )
}
