"""Against invented text: decodings that fail are tried again, and only then, and never in silence.

A window fails when its text repeats itself, is improbable, or is longer than anybody can speak.
The ladder of temperatures is Whisper's (Radford et al. 2022, section 4.5), climbed by the failed
windows alone. A window is dropped only where voice activity and Whisper's no-speech token agree.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import replace

from auricle.speech.engines import Decoded, Encoded, Engine
from auricle.speech.options import DecodeOptions
from auricle.speech.windows import Window

LOOP_REPEATS = 4
"""A phrase said this often in a row is a loop..."""
LOOP_TOKENS = 12
"""...if the repeats take at least this many tokens."""

MAX_CHARACTERS_A_SECOND = 30.0
"""Half as much again as a fast speaker says."""


def decode_guarded(
    engine: Engine,
    encoded: Encoded,
    windows: Sequence[Window],
    prompt: Sequence[int],
    options: DecodeOptions,
) -> list[Decoded]:
    """Decode a batch; what nobody said comes back without tokens."""
    best = engine.decode(encoded, prompt, options.beam_size, 0.0)
    first = replace(options, min_logprob=options.doubtful_logprob)
    failed = [i for i, d in enumerate(best) if fails(engine, d, windows[i], first)]
    for beam_size, temperature in options.retries:
        if not failed:
            break
        retried = engine.decode(encoded.select(failed), prompt, beam_size, temperature)
        still = []
        for row, decoded in zip(failed, retried, strict=True):
            if decoded.tokens == best[row].tokens and speakable(engine, decoded, windows[row]):
                continue  # heard the same way twice: that is what was said ("It was the best ...")
            best[row] = _better(engine, best[row], decoded, windows[row], options)
            if fails(engine, decoded, windows[row], options):
                still.append(row)
        failed = still
    for row in failed:
        best[row] = replace(best[row], tokens=without_loops(best[row].tokens))
    return [
        replace(d, tokens=()) if nobody_spoke(d, w, options) else d
        for d, w in zip(best, windows, strict=True)
    ]


def fails(engine: Engine, decoded: Decoded, window: Window, options: DecodeOptions) -> bool:
    """Whether a decoding should be tried again."""
    if nobody_spoke(decoded, window, options):
        return False
    return decoded.logprob < options.min_logprob or repeats(engine, decoded, window, options)


def repeats(engine: Engine, decoded: Decoded, window: Window, options: DecodeOptions) -> bool:
    """Whether the text goes round in circles."""
    text = engine.tokens.decode(decoded.tokens)
    return (
        compression_ratio(text) > options.max_compression_ratio
        or len(without_loops(decoded.tokens)) < len(decoded.tokens)
        or not speakable(engine, decoded, window)
    )


def speakable(engine: Engine, decoded: Decoded, window: Window) -> bool:
    """Whether somebody could have said so much in the time that is voiced."""
    text = engine.tokens.decode(decoded.tokens)
    return len(text) <= MAX_CHARACTERS_A_SECOND * (window.voiced + 1)


def nobody_spoke(decoded: Decoded, window: Window, options: DecodeOptions) -> bool:
    """Whether voice activity and the model agree that a window has no speech."""
    return window.voice < options.weak_voice and decoded.no_speech > options.no_speech


def _better(
    engine: Engine, one: Decoded, other: Decoded, window: Window, options: DecodeOptions
) -> Decoded:
    """Prefer what does not repeat itself, then what is more probable."""

    def rank(decoded: Decoded) -> tuple[bool, float]:
        return not repeats(engine, decoded, window, options), decoded.logprob

    return max(one, other, key=rank)


def compression_ratio(text: str) -> float:
    """How many times smaller zlib makes a text; above 2.4 it repeats itself."""
    encoded = text.encode()
    return len(encoded) / len(zlib.compress(encoded)) if encoded else 0.0


def without_loops(tokens: Sequence[int]) -> tuple[int, ...]:
    """Keep one of each phrase that is repeated over and over."""
    kept: list[int] = []
    at = 0
    while at < len(tokens):
        size, count = _loop_at(tokens, at)
        kept.extend(tokens[at : at + size])
        at += size * count
    return tuple(kept)


def _loop_at(tokens: Sequence[int], at: int) -> tuple[int, int]:
    """Length and number of the repeats that begin here; ``(1, 1)`` when there are none."""
    for size in range(1, (len(tokens) - at) // LOOP_REPEATS + 1):
        phrase = tokens[at : at + size]
        count = 1
        while tokens[at + count * size : at + (count + 1) * size] == phrase:
            count += 1
        if count >= LOOP_REPEATS and count * size >= LOOP_TOKENS:
            return size, count
    return 1, 1
