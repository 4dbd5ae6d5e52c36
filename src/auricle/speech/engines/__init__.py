"""The inference engines and the one protocol that they answer."""

from auricle.speech.engines.protocol import Aligned, Decoded, Encoded, Engine, Tokens

__all__ = ["Aligned", "Decoded", "Encoded", "Engine", "Tokens"]
