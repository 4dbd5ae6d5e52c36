"""The words that the APIs for text speak: styles and kinds, under all names that clients send."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from auricle.core.errors import BadRequest

STYLES: Mapping[str, str] = {
    "brief": "brief",
    "detailed": "detailed",
    "action_items": "action_items",
    "bullet_points": "bullet_points",
    "bullets": "bullet_points",
    "headline": "headline",
}
"""Styles of summaries, and what they mean."""

ANALYSES: Mapping[str, str] = {
    "sentiment": "sentiment",
    "topics": "topics",
    "entities": "entities",
    "action_items": "action_items",
    "questions": "questions",
    "pii_redact": "pii_redact",
    "pii": "pii_redact",
}
"""Kinds of analysis, and what they mean."""

CONTENTS: Mapping[str, str] = {
    "blog_post": "blog_post",
    "social_media": "social_media",
    "social_twitter": "social_twitter",
    "social_linkedin": "social_linkedin",
    "newsletter": "newsletter",
    "key_quotes": "key_quotes",
    "show_notes": "show_notes",
    "podcast_show_notes": "show_notes",
    "meeting_notes": "meeting_notes",
    "study_guide": "study_guide",
    "flashcards": "flashcards",
    "quiz": "quiz",
    "chapter_markers": "chapter_markers",
}
"""Kinds of what is written from a transcript, and what they mean."""


def known(words: Mapping[str, str], asked: str, field: str) -> str:
    """What a word means. Raises :class:`BadRequest` that lists the others."""
    name = asked.strip().lower().replace("-", "_")
    if name not in words:
        raise BadRequest(f"Unknown {field} {asked[:100]!r}. Send one of: {listed(words)}.")
    return words[name]


def listed(words: Iterable[str]) -> str:
    """Names with commas between them."""
    return ", ".join(words)
