"""The inference engines and the one protocol that they answer."""

from auricle.speech.engines.protocol import (
    Align,
    Aligned,
    Ask,
    Decode,
    Decoded,
    Detect,
    Encode,
    Encoded,
    Engine,
    Tokens,
)

__all__ = [
    "Align",
    "Aligned",
    "Ask",
    "Decode",
    "Decoded",
    "Detect",
    "Encode",
    "Encoded",
    "Engine",
    "Tokens",
]
