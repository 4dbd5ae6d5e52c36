"""Speech that Whisper stepped over.

Where the speaker changes inside a window, Whisper at times leaves out whole sentences, with high
confidence in the rest. Attention shows it: the words beside the hole stretch over it, so a voiced
span ends up with hardly any tokens. Such a window is cut around its holes and decoded in parts.
(Measured on the 12-minute recording with a hundred speakers: spans that were skipped had under
0.8 tokens a second, others never under 1.5.)
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby, pairwise

from auricle.speech.engines import Aligned
from auricle.speech.windows import Window

SHORTEST_S = 0.8
"""Spans shorter than this are not looked at: a breath can pass for one."""

FEWEST_TOKENS_A_SECOND = 1.0


def parts_around_holes(window: Window, aligned: Aligned) -> list[Window]:
    """Cut a window around the speech that was skipped; empty when nothing was."""
    holes = [
        span.end - span.start >= SHORTEST_S and density < FEWEST_TOKENS_A_SECOND
        for span, density in zip(window.spans, token_density(window, aligned), strict=True)
    ]
    if not any(holes) or len(holes) == 1:
        return []
    parts = []
    at = 0
    for _, run in groupby(holes):
        size = len(list(run))
        parts.append(window.part(at, at + size))
        at += size
    return parts if len(parts) > 1 else []


def token_density(window: Window, aligned: Aligned) -> list[float]:
    """Tokens a second in each span of a window, each token spread over the speech under it."""
    counts = [0.0] * len(window.spans)
    times = [window.to_recording(local) for local in aligned.starts]
    for start, end in pairwise(times):
        shared = [max(0.0, min(end, s.end) - max(start, s.start)) for s in window.spans]
        total = sum(shared)
        for index, part in enumerate(shared):
            if total > 0:
                counts[index] += part / total
    return [
        count / (span.end - span.start) for count, span in zip(counts, window.spans, strict=True)
    ]


def more_is_said(whole: Sequence[int], parts: Sequence[Sequence[int]]) -> bool:
    """Whether the parts hold more text than the window decoded at once."""
    return sum(len(tokens) for tokens in parts) > len(whole)
