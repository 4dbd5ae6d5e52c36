"""Kinds of prose: which parts they have, and how these are put together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from auricle.text.actions import action_items, decided, render_actions
from auricle.text.cards import gaps
from auricle.text.condense import keywords
from auricle.text.faithful import unlike
from auricle.text.headings import worded
from auricle.text.llm import is_small
from auricle.text.source import Piece
from auricle.text.summarize import bullets, paragraphs
from auricle.text.writing import Coverage, Part, Writer, Written, write
from auricle.transcript.search import lexemes

Parts = Mapping[str, list[str]]

SECTIONS = 3
MOST_POST = 280
TERMS = 6


def _title(wanted: str) -> Part:
    return Part("title", wanted, title=True)


def _sections() -> list[Part]:
    return [
        part
        for number in range(1, SECTIONS + 1)
        for part in (
            Part(f"heading_{number}", f"a short heading of section {number}", title=True),
            Part(f"section_{number}", f"sentences of section {number}", 3, 2),
        )
    ]


def _blog_post(parts: Parts, language: str) -> str:
    rows = [*(f"# {title}" for title in parts["title"]), paragraphs(parts["introduction"])]
    for number in range(1, SECTIONS + 1):
        section = parts[f"section_{number}"]
        if section:
            rows += [*(f"## {each}" for each in parts[f"heading_{number}"]), paragraphs(section)]
    if parts["conclusion"]:
        rows += [f"## {worded('conclusion', language)}", paragraphs(parts["conclusion"])]
    return "\n\n".join(row for row in rows if row)


def _posts(parts: Parts, language: str) -> str:
    return "\n\n".join(parts["posts"])


def _twitter(parts: Parts, language: str) -> str:
    first, *more = parts["posts"]
    for post in more:
        if len(first) + len(post) < MOST_POST:
            first += f" {post}"
    return first


LEAST_QUESTION = 4
"""Words of a question that is about something."""


def _linkedin(parts: Parts, language: str) -> str:
    told = [*parts["title"], *parts["text"]]  # with a mark behind it, that is no question
    new = unlike(parts["question"], told)
    asked = [each for each in new if each.endswith("?") and len(lexemes(each)) >= LEAST_QUESTION]
    rows = [*parts["title"], paragraphs(parts["text"]), *(asked or [worded("opinion", language)])]
    return "\n\n".join(rows)


def _newsletter(parts: Parts, language: str) -> str:
    news = [paragraphs(parts["news"][at : at + 2]) for at in range(0, len(parts["news"]), 2)]
    subject = [f"{worded('subject', language)}: {title}" for title in parts["title"]]
    return "\n\n".join([*subject, worded("greeting", language), *news, worded("closing", language)])


def _show_notes(parts: Parts, language: str) -> str:
    return f"{paragraphs(parts['description'])}\n\n{bullets(parts['topics'])}".strip()


def _meeting_notes(parts: Parts, language: str) -> str:
    decisions = bullets(parts["decisions"]) or worded("no_decisions", language)
    rows = [("summary", paragraphs(parts["summary"]))]
    if parts["discussion"]:
        rows.append(("discussion", bullets(parts["discussion"])))
    return _headed([*rows, ("decisions", decisions)], language)


def _study_guide(parts: Parts, language: str) -> str:
    rows = [("key_points", "key_points"), ("terms", "terms"), ("review", "questions")]
    return _headed(
        [(heading, bullets(parts[name])) for heading, name in rows if parts[name]], language
    )


def _headed(rows: Sequence[tuple[str, str]], language: str) -> str:
    return "\n\n".join(f"## {worded(heading, language)}\n{text}" for heading, text in rows)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of prose."""

    what: str
    """What a model is told that it writes."""
    parts: tuple[Part, ...]
    render: Callable[[Parts, str], str]


KINDS: dict[str, Kind] = {
    "blog_post": Kind(
        "Write a blog post about what is said in the transcript.",
        (
            _title("its title"),
            Part("introduction", "sentences that introduce it", 3, 1),
            *_sections(),
            Part("conclusion", "sentences that conclude it", 2),
        ),
        _blog_post,
    ),
    "social_media": Kind(
        "Write posts for social media about what is said in the transcript.",
        (Part("posts", "short posts, each about something else", 3, 3),),
        _posts,
    ),
    "social_twitter": Kind(
        "Write a post for X (Twitter) about what is said in the transcript.",
        (Part("posts", "its sentences", 2, 1),),
        _twitter,
    ),
    "social_linkedin": Kind(
        "Write a post for LinkedIn about what is said in the transcript.",
        (
            _title("a first line that makes curious"),
            Part("text", "its sentences", 5, 3),
            Part("question", "a question to the readers"),
        ),
        _linkedin,
    ),
    "newsletter": Kind(
        "Write a newsletter about what is said in the transcript.",
        (_title("its subject"), Part("news", "its sentences, the main news first", 8, 5)),
        _newsletter,
    ),
    "show_notes": Kind(
        "Write show notes for this episode.",
        (
            Part("description", "sentences that say what it is about", 2, 1),
            Part("topics", "what is talked about, point by point", 8, 4),
        ),
        _show_notes,
    ),
    "meeting_notes": Kind(
        "Write meeting notes.",
        (
            Part("summary", "sentences that sum the meeting up", 3, 2),
            Part("discussion", "what was discussed, point by point", 6, 4),
            Part("decisions", "what was decided; empty where nothing was", 4),
        ),
        _meeting_notes,
    ),
    "study_guide": Kind(
        "Write a study guide about what is said in the transcript.",
        (
            Part("key_points", "the main facts as sentences", 8, 5),
            Part("questions", "questions about these facts", 5),
        ),
        _study_guide,
    ),
}
"""What a model fills of each kind; the rest is made without it."""


def prose(writer: Writer, kind: str) -> tuple[str, Coverage]:
    """A kind of prose from a transcript."""
    made = KINDS[kind]
    written = write(writer, made.what, made.parts)
    _complete(writer, kind, written)
    content = made.render(written.parts, writer.language)
    if kind == "meeting_notes":
        found = action_items(
            writer.source, writer.language, writer.llm, writer.progress, writer.tick
        )
        items = render_actions(found, writer.language)
        content += f"\n\n## {worded('action_items', writer.language)}\n{items}"
    return content, written.coverage


def _complete(writer: Writer, kind: str, written: Written) -> None:
    """Put in what needs no model, and take out what small ones are not to be trusted with."""
    pieces, parts = writer.source.pieces, written.parts
    if kind == "meeting_notes" and is_small(writer.llm):
        parts["decisions"] = decided(parts["decisions"], writer.source)
    if kind == "study_guide":
        parts["terms"] = _terms(written.read, pieces)
        asked = [question for question in parts["questions"] if question.endswith("?")]
        parts["questions"] = asked or [gap.question for gap in gaps(pieces, 4)]


def _terms(read: Sequence[Piece], whole: Sequence[Piece]) -> list[str]:
    """Words that matter, each with the sentence in which it was said."""
    found: dict[str, str] = {}
    for word in keywords(read, whole, 2 * TERMS):
        found.setdefault(next(piece.text for piece in read if word in piece.text), word)
    return [f"**{word}**: {said}" for said, word in found.items()][:TERMS]
