"""Against invented text: decodings that fail are tried again, and only then, and never in silence.

A window fails when its text repeats itself, is improbable, or is longer than anybody can speak.
The ladder of temperatures is Whisper's (Radford et al. 2022, section 4.5), climbed by the failed
windows alone. A window is dropped only where voice activity and Whisper's no-speech token agree.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import replace

from auricle.speech.engines import Decode, Decoded, Encoded, Tokens
from auricle.speech.loops import without_loops
from auricle.speech.options import DecodeOptions
from auricle.speech.windows import Window

MAX_CHARACTERS_A_SECOND = 30.0
"""Half as much again as a fast speaker says."""


async def decode_guarded(
    tokens: Tokens,
    encoded: Encoded,
    window: Window,
    prompt: Sequence[int],
    options: DecodeOptions,
) -> Decoded:
    """Decode a window; where nobody spoke it comes back without tokens."""
    best = await Decode(encoded, prompt, options.beam_size, 0.0)
    doubtful = replace(options, min_logprob=options.doubtful_logprob)
    failed = fails(tokens, best, window, doubtful)
    for beam_size, temperature in options.retries:
        if not failed:
            break
        retried = await Decode(encoded, prompt, beam_size, temperature)
        if retried.tokens == best.tokens and speakable(tokens, retried, window):
            failed = False  # heard the same way twice: so it was said ("It was the best ...")
        else:
            best = _better(tokens, best, retried, window, options)
            failed = fails(tokens, retried, window, options)
    if failed:
        best = replace(best, tokens=without_loops(best.tokens))
    return replace(best, tokens=()) if nobody_spoke(best, window, options) else best


def fails(tokens: Tokens, decoded: Decoded, window: Window, options: DecodeOptions) -> bool:
    """Whether a decoding should be tried again."""
    if nobody_spoke(decoded, window, options):
        return False
    return decoded.logprob < options.min_logprob or repeats(tokens, decoded, window, options)


def repeats(tokens: Tokens, decoded: Decoded, window: Window, options: DecodeOptions) -> bool:
    """Whether the text goes round in circles."""
    text = tokens.decode(decoded.tokens)
    return (
        compression_ratio(text) > options.max_compression_ratio
        or len(without_loops(decoded.tokens)) < len(decoded.tokens)
        or not speakable(tokens, decoded, window)
    )


def speakable(tokens: Tokens, decoded: Decoded, window: Window) -> bool:
    """Whether somebody could have said so much in the time that is voiced."""
    text = tokens.decode(decoded.tokens)
    return len(text) <= MAX_CHARACTERS_A_SECOND * (window.voiced + 1)


def nobody_spoke(decoded: Decoded, window: Window, options: DecodeOptions) -> bool:
    """Whether voice activity and the model agree that a window has no speech."""
    return window.voice < options.weak_voice and decoded.no_speech > options.no_speech


def _better(
    tokens: Tokens, one: Decoded, other: Decoded, window: Window, options: DecodeOptions
) -> Decoded:
    """Prefer what does not repeat itself, then what is more probable."""

    def rank(decoded: Decoded) -> tuple[bool, float]:
        return not repeats(tokens, decoded, window, options), decoded.logprob

    return max(one, other, key=rank)


def compression_ratio(text: str) -> float:
    """How many times smaller zlib makes a text; above 2.4 it repeats itself."""
    encoded = text.encode()
    return len(encoded) / len(zlib.compress(encoded)) if encoded else 0.0
