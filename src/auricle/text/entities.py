"""Names of people, places and organisations in English text, by spaCy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import spacy

from auricle.text.named import Named

KINDS = {
    "PERSON": "person",
    "ORG": "organization",
    "GPE": "place",
    "LOC": "place",
    "FAC": "place",
    "NORP": "group",
    "PRODUCT": "product",
    "EVENT": "event",
    "WORK_OF_ART": "work",
    "LAW": "law",
    "DATE": "date",
    "MONEY": "money",
    "PERCENT": "percent",
}
"""spaCy's labels that are shown, and as what."""


class Names:
    """The model, loaded."""

    model = "en-core-web-sm"

    def __init__(self, folder: Path) -> None:
        self._model = spacy.load(folder, exclude=["parser", "lemmatizer", "tagger"])

    def find(self, texts: Sequence[str]) -> Iterator[list[Named]]:
        """The names in each text."""
        for found in self._model.pipe(texts, batch_size=64):
            yield [
                Named(span.text, KINDS[span.label_], span.start_char, span.end_char)
                for span in found.ents
                if span.label_ in KINDS
            ]
