"""Translation: which model knows a pair of languages, and texts cut into sentences for it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial

from auricle.core.errors import ModelNotInstalled, UnknownLanguage
from auricle.models import ModelStore, lookup
from auricle.text.asking import Progress
from auricle.text.madlad import Madlad
from auricle.text.marian import Marian
from auricle.text.source import from_text

BATCH = 16
"""Sentences that are translated together."""

PAIRS = {("en", "pt"): "translate-en-pt", ("pt", "en"): "translate-en-pt"}
"""Pairs of languages with a small model of their own."""

EVERYTHING = "madlad400-3b-mt"
"""The model for all others."""

Work = Callable[[Sequence[str], Callable[[], None]], list[str]]


@dataclass(frozen=True, slots=True)
class Translated:
    """Translations, and the model that has made them."""

    texts: list[str]
    model: str


class Translators:
    """The models, each loaded when a pair calls for it."""

    def __init__(self, store: ModelStore, threads: int) -> None:
        self._store = store
        self._threads = threads
        self._marian = cache(self._load_marian)
        self._madlad = cache(self._load_madlad)

    def translate(
        self, texts: Sequence[str], source: str, target: str, progress: Progress
    ) -> Translated:
        """Texts, sentence by sentence; line breaks stay.

        Raises :class:`ModelNotInstalled` with the command for a pair that nothing here knows.
        """
        model, work = self._who_knows(_bare(source), _bare(target))
        lines = [re.split(r"(\n+)", text) for text in texts]
        sentences = [[_sentences(part) for part in line] for line in lines]
        flat = [each for line in sentences for part in line for each in part]
        done: list[str] = []
        for at in range(0, len(flat), BATCH):
            step = partial(progress, at, len(flat))
            done += work(flat[at : at + BATCH], step)
        left = iter(done)
        return Translated(
            [
                "".join(
                    " ".join(next(left) for _ in part) if part else original
                    for original, part in zip(line, parts, strict=True)
                )
                for line, parts in zip(lines, sentences, strict=True)
            ],
            model,
        )

    def _who_knows(self, source: str, target: str) -> tuple[str, Work]:
        small, large = PAIRS.get((source, target)), lookup(EVERYTHING)
        if small and self._store.has(lookup(small)):
            return small, self._marian(source, target).translate
        if self._store.has(large):
            madlad = self._madlad()
            return large.id, lambda texts, tick: madlad.translate(texts, target, tick)
        if not re.fullmatch(r"[a-z]{2,3}", source) or not re.fullmatch(r"[a-z]{2,3}", target):
            raise UnknownLanguage("Send languages as codes of two or three letters, such as 'pt'.")
        raise ModelNotInstalled(
            f"Translation from {source!r} into {target!r} needs a model that is not installed on "
            f"this server. Its operator installs it with 'auricle models pull {small or large.id}'."
        )

    def _load_marian(self, source: str, target: str) -> Marian:
        folder = self._store.path(lookup(PAIRS[source, target]))
        name = f"{source}-{target}"
        return Marian(folder / f"{name}.bin", folder / f"{name}.spm")

    def _load_madlad(self) -> Madlad:
        return Madlad(self._store.path(lookup(EVERYTHING)), self._threads)


def _bare(language: str) -> str:
    """A code without its region."""
    return language.replace("_", "-").partition("-")[0]


def _sentences(text: str) -> list[str]:
    """A line's sentences; none where there is nothing to translate."""
    return [piece.text for piece in from_text(text, "").pieces] if text.strip() else []
