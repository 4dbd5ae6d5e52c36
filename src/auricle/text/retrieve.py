"""Which segments a question is about: by meaning and by words, merged by rank. A question about all
that was said is about no segment more than another: those that say most stand for the whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from auricle.transcript.search import lexemes

F32 = NDArray[np.float32]

RELEVANT = 0.25
"""Cosine of a question and a segment below which they have nothing to do with each other."""

COMMON = 0.2
"""Share of the segments from which on a word says nothing: "the", "what"."""

K = 60
"""Constant of reciprocal rank fusion, as its authors set it (Cormack et al. 2009)."""

WHOLE = (
    *("What is this about?", "What is the topic?", "Summarise it.", "Give me an overview."),
    *("What are the main points?", "What was talked about?"),
    *("¿De qué trata?", "¿Cuál es el tema?", "Resúmelo.", "Haz un resumen."),
    *("¿Cuáles son los puntos principales?", "¿De qué se habló?"),
    *("De que se trata?", "Qual é o tema?", "Resume isto.", "Faz um resumo."),
    *("Quais são os pontos principais?", "De que se falou?"),
    *("De quoi s'agit-il ?", "Quel est le sujet ?", "Résume-le.", "Fais un résumé."),
    *("Quels sont les points principaux ?", "De quoi a-t-on parlé ?"),
    *("Worum geht es?", "Was ist das Thema?", "Fasse es zusammen.", "Gib einen Überblick."),
    *("Was sind die wichtigsten Punkte?", "Worüber wurde gesprochen?"),
    *("Di cosa si tratta?", "Qual è l'argomento?", "Riassumilo.", "Fai un riassunto."),
    *("Quali sono i punti principali?", "Di cosa si è parlato?"),
)
PEOPLE = (
    *("Who took part?", "Who is speaking?", "¿Quién participó?", "¿Quién habla?"),
    *("Quem participou?", "Quem fala?", "Qui a participé ?", "Qui parle ?"),
    *("Wer hat teilgenommen?", "Wer spricht?", "Chi ha partecipato?", "Chi parla?"),
)
GENERAL = (*WHOLE, *PEOPLE)
"""Questions about the whole of a transcript, to which others are compared."""

About = Literal["part", "whole", "people"]
"""What a question is about."""


def about(question: F32, general: F32, best: float) -> About:
    """Whether a question is nearer to one of :data:`GENERAL` (``[rows, 384]``) than to what was
    said, of which ``best`` is the greatest cosine."""
    scores = general @ question
    if scores.max() <= max(best, RELEVANT):
        return "part"
    return "whole" if scores.argmax() < len(WHOLE) else "people"


def nearest(question: F32, vectors: F32, most: int) -> list[tuple[int, float]]:
    """Rows of ``vectors`` (``[rows, 384]``, unit length) by their cosine to a question."""
    scores = vectors @ question
    best = np.argsort(-scores)[:most]
    return [(int(row), float(scores[row])) for row in best if scores[row] >= RELEVANT]


def worded(question: str, texts: Sequence[str], most: int) -> list[tuple[int, float]]:
    """Texts by how many of a question's rare words they hold (BM25)."""
    asked = {word for word in lexemes(question) if len(word) > 3 or word > "\u0dff"}
    words = [lexemes(text) for text in texts]
    average = sum(map(len, words)) / max(1, len(words))
    holding = {word: sum(word in each for each in words) for word in asked}
    asked = {word for word in asked if holding[word] <= max(2, len(words) * COMMON)}
    scores = np.zeros(len(texts))
    for row, each in enumerate(words):
        for word in asked.intersection(each):
            rarity = np.log(1 + (len(words) - holding[word] + 0.5) / (holding[word] + 0.5))
            times = each.count(word)
            scores[row] += rarity * times * 2.2 / (times + 0.3 + 0.9 * len(each) / average)
    best = np.argsort(-scores)[:most]
    return [(int(row), float(scores[row])) for row in best if scores[row] > 0]


def merged(*rankings: Sequence[int]) -> list[int]:
    """What stands high in any of some rankings, best first (reciprocal rank fusion)."""
    scores: dict[int, float] = {}
    for ranking in rankings:
        for rank, row in enumerate(ranking):
            scores[row] = scores.get(row, 0.0) + 1 / (K + rank)
    return sorted(scores, key=lambda row: -scores[row])
