"""CSV for spreadsheets: one row for each segment (RFC 4180)."""

from __future__ import annotations

import csv
import io

from auricle.transcript.transcript import Transcript

HEADER = ("start", "end", "speaker", "text", "confidence")


def to_csv(transcript: Transcript) -> str:
    """Render with a header; times are seconds, confidence is 0..1.

    The text begins with a byte order mark: Excel reads a file without one in the code page of the
    machine, which turns every letter beyond ASCII into others.
    """
    output = io.StringIO(newline="")
    rows = csv.writer(output)  # ends lines in CR LF and quotes as RFC 4180 says
    rows.writerow(HEADER)
    for segment in transcript.segments:
        rows.writerow(
            (
                f"{segment.start:.3f}",
                f"{segment.end:.3f}",
                _harmless(segment.speaker or ""),
                _harmless(segment.text),
                f"{segment.confidence:.4f}",
            )
        )
    return "\ufeff" + output.getvalue()


def _harmless(cell: str) -> str:
    """Keep a spreadsheet from taking a cell for a formula
    (https://owasp.org/www-community/attacks/CSV_Injection)."""
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell
