"""MADLAD-400: one model for more than 450 languages, through CTranslate2 and SentencePiece.

A text is given with the code of the language that it is wanted in before it (``<2pt>``); the
model finds out the language that it is in (https://arxiv.org/abs/2309.04662).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import ctranslate2
import sentencepiece

from auricle.core.errors import UnknownLanguage

BEAM = 2
MOST_TOKENS = 256
"""Of a sentence's translation."""


class Madlad:
    """The model, loaded from a folder of CTranslate2's with ``sentencepiece.model`` beside it."""

    def __init__(self, folder: Path, threads: int) -> None:
        on_gpu = ctranslate2.get_cuda_device_count() > 0
        words = folder / "sentencepiece.model"
        self._words = sentencepiece.SentencePieceProcessor(model_file=str(words))
        self._model = ctranslate2.Translator(
            str(folder),
            device="cuda" if on_gpu else "cpu",
            compute_type="int8_float16" if on_gpu else "int8",
            intra_threads=threads,
        )

    def knows(self, language: str) -> bool:
        """Whether it translates into a language."""
        return self._words.piece_to_id(f"<2{language}>") != self._words.unk_id()

    def translate(
        self, sentences: Sequence[str], target: str, tick: Callable[[], None]
    ) -> list[str]:
        """Sentences, a batch at a time. Raises :class:`UnknownLanguage`."""
        if not self.knows(target):
            raise UnknownLanguage(f"MADLAD-400 does not know the language {target!r}.")
        tick()
        found = self._model.translate_batch(
            [self._words.encode(f"<2{target}> {text}", out_type=str) for text in sentences],
            beam_size=BEAM,
            max_decoding_length=MOST_TOKENS,
            max_batch_size=16,
        )
        return [self._words.decode(each.hypotheses[0]) for each in found]
