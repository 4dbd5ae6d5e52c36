"""Whisper's tokens: its control tokens by name, and text back as words.

Control tokens and their order: Radford et al. 2022, figure 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import tokenizers

from auricle.transcript.languages import NAMES, UNSPACED

_REPLACEMENT = "\ufffd"
_OPENERS = "\"'“‘¿¡([{«„-–—「『（《"
_CLOSERS = "\"'”’.。,，、!！?？:：;；)]}»」』）》…؟،।॥।。-–—%"


class WhisperTokens:
    """The tokenizer of one model."""

    def __init__(self, folder: Path) -> None:
        self._tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))

    @cached_property
    def languages(self) -> tuple[str, ...]:
        """Codes of the languages that the model knows."""
        return tuple(c for c in NAMES if self._tokenizer.token_to_id(f"<|{c}|>") is not None)

    @cached_property
    def end(self) -> int:
        """``<|endoftext|>``, the first control token: all text tokens are smaller."""
        return self.control("endoftext")

    @cached_property
    def no_speech(self) -> int:
        """``<|nospeech|>``, which older models call ``<|nocaptions|>``."""
        old = self._tokenizer.token_to_id("<|nocaptions|>")
        return self.control("nospeech") if old is None else int(old)

    def control(self, name: str) -> int:
        """Id of ``<|name|>``."""
        token = self._tokenizer.token_to_id(f"<|{name}|>")
        if token is None:
            raise KeyError(f"this model has no token <|{name}|>")
        return int(token)

    def start_sequence(self, language: str, task: str) -> list[int]:
        """``<|startoftranscript|> <|language|> <|task|>``; without Cantonese it is Chinese."""
        known = language if language in self.languages else "zh" if language == "yue" else "en"
        return [self.control(name) for name in ("startoftranscript", known, task)]

    def prompt(self, language: str, task: str, before: str = "") -> list[int]:
        """What decoding starts from; ``before`` is text that might have come before."""
        context: list[int] = []
        if before.strip():
            tokens = self.encode(" " + before.strip())[-223:]  # half of the decoder's 448, less one
            context = [self.control("startofprev"), *tokens]
        return [*context, *self.start_sequence(language, task), self.control("notimestamps")]

    def encode(self, text: str) -> list[int]:
        """Text to text tokens."""
        return list(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def decode(self, tokens: Sequence[int]) -> str:
        """Text tokens to text; control tokens are left out."""
        return str(self._tokenizer.decode([token for token in tokens if token < self.end]))

    def split_words(self, tokens: Sequence[int], language: str) -> list[tuple[str, int]]:
        """Cut text tokens into words, as ``(text, number of tokens)``.

        A word keeps the blank before it and the punctuation around it. Languages written without
        blanks are cut at every character that ends at a token's end.
        """
        pieces = self._characters(tokens)
        words: list[tuple[str, int]] = []
        for text, count in pieces:
            if words and _continues(words[-1][0], text, language):
                words[-1] = (words[-1][0] + text, words[-1][1] + count)
            else:
                words.append((text, count))
        return _with_punctuation(words)

    def _characters(self, tokens: Sequence[int]) -> list[tuple[str, int]]:
        """The smallest runs of tokens that are whole characters."""
        whole = self.decode(tokens)
        pieces: list[tuple[str, int]] = []
        run: list[int] = []
        at = 0
        for token in tokens:
            run.append(token)
            text = self.decode(run)
            broken = text.find(_REPLACEMENT)
            # A replacement character that is in the whole text too will not be mended by waiting.
            if broken < 0 or whole[at + broken : at + broken + 1] == _REPLACEMENT:
                pieces.append((text, len(run)))
                at += len(text)
                run = []
        if run:
            pieces.append((self.decode(run), len(run)))
        return pieces


def _continues(word: str, text: str, language: str) -> bool:
    """Whether a piece of text belongs to the word before it."""
    if text.startswith(" "):
        return False
    if language not in UNSPACED:
        return True
    return word[-1:].isascii() and word[-1:].isalnum() and text[:1].isascii() and text[:1].isalnum()


def _with_punctuation(words: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """Join opening marks to the word after them and closing marks to the word before."""
    joined: list[tuple[str, int]] = []
    opener: tuple[str, int] | None = None
    for text, count in words:
        if opener is not None:
            text, count = opener[0] + text, opener[1] + count  # noqa: PLW2901
            opener = None
        bare = text.strip()
        closes = bool(bare) and all(c in _CLOSERS for c in bare) and not text.startswith(" ")
        if not closes and all(c in _OPENERS for c in bare):  # opening marks, or a lone blank
            opener = (text, count)
        elif joined and closes:
            joined[-1] = (joined[-1][0] + text, joined[-1][1] + count)
        else:
            joined.append((text, count))
    if opener is not None:
        joined.append(opener)
    return joined
