"""Sentiment: by VADER's lexicon and rules for English, by the language model for the rest."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Annotated, Literal

import msgspec
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from auricle.text.asking import Progress, ask_for, each
from auricle.text.condense import condense
from auricle.text.llm import LLM, Tick
from auricle.text.source import Piece, Source, chunks

Label = Literal["positive", "negative", "neutral"]

SURE = 0.05
"""VADER's own bound between neutral and the others."""

SHOWN = 5
"""Segments that are shown as the most positive and the most negative ones."""


class Moment(msgspec.Struct, frozen=True):
    """A segment that stands out."""

    text: str
    label: Label
    score: float
    segment_order: int
    start: float | None


class Sentiment(msgspec.Struct, frozen=True):
    """How a text feels."""

    label: Label
    score: float
    """From -1 (negative) to 1 (positive)."""
    positive: float
    """Shares of the segments, or of the parts that the language model has judged."""
    negative: float
    neutral: float
    segments: list[Moment]
    """The most positive and the most negative ones, in their order; English alone has them."""


@cache
def _vader() -> SentimentIntensityAnalyzer:
    return SentimentIntensityAnalyzer()


def by_lexicon(source: Source) -> Sentiment:
    """The sentiment of an English text, segment by segment."""
    scores = [_vader().polarity_scores(piece.text)["compound"] for piece in source.pieces]
    scored = reversed(list(zip(scores, source.pieces, strict=True)))
    first = {piece.text: (score, piece) for score, piece in scored}
    ranked = sorted(first.values(), key=lambda pair: pair[0])
    extreme = [*ranked[:SHOWN], *ranked[max(SHOWN, len(ranked) - SHOWN) :]]
    shown = [_moment(piece, score) for score, piece in extreme if abs(score) > SURE]
    strong = [score for score in scores if abs(score) > SURE]
    score = sum(strong) / len(strong) if strong else 0.0
    return _sentiment(score, scores, sorted(shown, key=lambda moment: moment.segment_order))


class _Judged(msgspec.Struct):
    label: Label
    strength: Annotated[int, msgspec.Meta(ge=0, le=10)]


def by_model(source: Source, llm: LLM, progress: Progress, tick: Tick) -> Sentiment:
    """The sentiment of a text in any language that the model knows, part by part."""
    task = (
        "Judge the mood of what is said: 'label' is positive, negative or neutral, 'strength' a "
        "whole number from 0 (weak) to 10 (strong)."
    )

    def work(part: list[Piece]) -> float:
        found = ask_for(llm, _Judged, part, task, "en", 40, tick)
        sign = {"positive": 1, "negative": -1, "neutral": 0}[found.label]
        return sign * max(1, found.strength) / 10

    read = condense(source.pieces, llm.most)
    scores = each(llm, work, chunks(read, llm.chunk), progress)
    return _sentiment(sum(scores) / len(scores), scores, [])


def _sentiment(score: float, scores: Sequence[float], shown: list[Moment]) -> Sentiment:
    labels = [_label(each) for each in scores]

    def share(label: Label) -> float:
        return round(labels.count(label) / max(1, len(labels)), 3)

    return Sentiment(
        _label(score),
        round(score, 3),
        share("positive"),
        share("negative"),
        share("neutral"),
        shown,
    )


def _moment(piece: Piece, score: float) -> Moment:
    return Moment(piece.text, _label(score), round(score, 3), piece.order, piece.start)


def _label(score: float) -> Label:
    if abs(score) <= SURE:
        return "neutral"
    return "positive" if score > 0 else "negative"
