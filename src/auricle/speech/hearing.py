"""What is done with one window: encoded, decoded under guard, aligned, and once more in parts if
something in it was skipped."""

from __future__ import annotations

from dataclasses import dataclass

from auricle.speech.align import to_words
from auricle.speech.engines import Align, Aligned, Detect, Encode, Encoded, Tokens
from auricle.speech.guards import decode_guarded
from auricle.speech.options import DecodeOptions, SpeechOptions
from auricle.speech.skipped import more_is_said, parts_around_holes
from auricle.speech.windows import Window
from auricle.transcript import Word


@dataclass(frozen=True, slots=True)
class Heard:
    """What was said in a window."""

    window: Window
    tokens: tuple[int, ...]
    aligned: Aligned


async def look(window: Window) -> tuple[Encoded, dict[str, float]]:
    """Encode a window and ask for its language."""
    encoded = await Encode(window.samples)
    return encoded, await Detect(encoded)


class Listener:
    """Hears the windows of one recording, in one language."""

    def __init__(
        self, tokens: Tokens, options: SpeechOptions, decoding: DecodeOptions, language: str
    ) -> None:
        self._tokens = tokens
        self._decoding = decoding
        self._prompt = tokens.prompt(language, options.task, options.prompt)
        self._start = tokens.start_sequence(language, options.task)
        self._written = language if options.task == "transcribe" else "en"

    async def hear(self, window: Window, encoded: Encoded | None = None) -> list[Heard]:
        """Hear a window, and once more, in parts, one in which something was skipped."""
        found = await self._hear(window, encoded)
        if found is None:
            return []
        parts = [await self._hear(part) for part in parts_around_holes(window, found.aligned)]
        again = [part for part in parts if part is not None]
        return again if more_is_said(found.tokens, [part.tokens for part in again]) else [found]

    def words(self, heard: Heard, not_before: float) -> list[Word]:
        """The words of one window, after those before it."""
        return to_words(
            heard.window, heard.aligned, heard.tokens, self._tokens, self._written, not_before
        )

    async def _hear(self, window: Window, encoded: Encoded | None = None) -> Heard | None:
        """Decode and align a window; None where nobody spoke."""
        if encoded is None:
            encoded = await Encode(window.samples)
        said = await decode_guarded(self._tokens, encoded, window, self._prompt, self._decoding)
        if not said.tokens:
            return None
        aligned = await Align(encoded, self._start, said.tokens, window.duration)
        return Heard(window, said.tokens, aligned)
