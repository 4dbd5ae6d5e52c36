"""Every kind of work on text, over an hour and over two lines, in three languages.

``python -m bench.text_matrix [LANGUAGE ...] [LENGTH ...] [TYPE ...]`` runs those that are named,
and all of them where none is: an hour on two cores. What several kinds share (the notes of an
hour's parts) is made once; its seconds count for each of them. ``--show`` prints the
answers as well. ``--keep=FILE`` keeps what the model has said there, for a run that goes on where
one ended or that follows a change.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from auricle.text import retrieve
from auricle.text.analyze import Tools, analyze
from auricle.text.asking import SYSTEM
from auricle.text.chat import answer
from auricle.text.condense import central
from auricle.text.embeddings import MiniLM
from auricle.text.entities import Names
from auricle.text.generate import generate
from auricle.text.languages import detect
from auricle.text.llm import LLM, Prompt, Tick
from auricle.text.named import Finder
from auricle.text.people import People
from auricle.text.requests import Chat
from auricle.text.retrieve import merged, nearest, worded
from auricle.text.source import Source
from auricle.text.summarize import summarize
from auricle.text.wording import ANALYSES, CONTENTS, STYLES
from auricle.text.writing import Writer
from auricle.transcript.search import lexemes
from bench.corpus import MODEL, THREADS, report
from bench.talks import GENERAL, QUESTIONS, talk

MODELS = MODEL.parent
MODEL_ID = "qwen2.5-coder-0.5b-instruct"

LANGUAGES = ("en", "pt", "de")
LENGTHS = ("lines", "hour")
TYPES = (
    *(f"summarize/{style}" for style in dict.fromkeys(STYLES.values())),
    *(f"analyze/{kind}" for kind in dict.fromkeys(ANALYSES.values())),
    *(f"generate/{kind}" for kind in dict.fromkeys(CONTENTS.values())),
    *("chat/part", "chat/whole", "chat/people"),
    "embed",
)

SLOW_S = 240.0
UNFINISHED = (
    *("summarize/headline", "summarize/action_items"),
    *("generate/social", "generate/flashcards", "generate/quiz"),
)
"""Kinds whose last line need not end like a sentence."""


class Remembering:
    """A language model that is asked the same only once; what it took is counted again."""

    def __init__(self, llm: LLM, file: Path) -> None:
        self._llm = llm
        self.model, self.chunk, self.most, self.slots = llm.model, llm.chunk, llm.most, llm.slots
        self._file = file
        rows = file.read_text().splitlines() if file.exists() else []
        self._answers: dict[str, tuple[str, float, float]] = dict(map(json.loads, rows))
        self._before = max((ended for _, _, ended in self._answers.values()), default=0.0)
        self._again: list[tuple[float, float]] = []

    def complete(self, prompt: Prompt, tick: Tick) -> str:
        """The model's answer, or what it has answered before."""
        key = repr(prompt)
        if key in self._answers:
            said, began, ended = self._answers[key]
            self._again.append((began, ended))
            return said
        began = self._before + _busy_s()
        said = self._llm.complete(prompt, tick)
        self._answers[key] = said, began, self._before + _busy_s()
        with self._file.open("a") as file:
            file.write(json.dumps([key, self._answers[key]]) + "\n")
        return said

    def saved_s(self) -> float:
        """Seconds that the answers took that were given again since this was asked last; requests
        that ran side by side shared them."""
        saved = until = 0.0
        for began, ended in sorted(self._again):
            saved += max(0.0, ended - max(began, until))
            until = max(until, ended)
        self._again.clear()
        return saved


def _busy_s() -> float:
    """Seconds for which this process has kept its cores busy; what else runs does not count."""
    return time.process_time() / THREADS


@dataclass(frozen=True)
class Bench:
    """The models and what is worked on."""

    llm: Remembering
    language: str
    length: str

    @cached_property
    def source(self) -> Source:
        return talk(self.language, self.length)

    def run(self, kind: str) -> tuple[str, Any]:
        """What a kind answers: as text, and its parts."""
        action, _, name = kind.partition("/")
        return _ACTIONS[action](self, name)


def _summarize(bench: Bench, style: str) -> tuple[str, Any]:
    found = summarize(bench.source, style, bench.language, bench.llm, _nothing, _nothing)
    return found.summary, []


def _analyze(bench: Bench, kind: str) -> tuple[str, Any]:
    tools = Tools(lambda: bench.llm, _finder, _nothing, _nothing)
    found, _ = analyze(bench.source, kind, bench.language, tools)
    return "", found


@cache
def _finder(language: str) -> Finder:
    return Names(MODELS / "en-core-web-sm") if language == "en" else People(MODELS / "rampart")


def _generate(bench: Bench, kind: str) -> tuple[str, Any]:
    writer = Writer(bench.source, bench.language, bench.llm, _nothing, _nothing, "")
    found = generate(writer, kind)
    return found.content, found.items


def _chat(bench: Bench, wanted: str) -> tuple[str, Any]:
    """Ask what the transcript answers, of the segments that a search finds."""
    source, language = bench.source, bench.language
    part = QUESTIONS[language][bench.length == "hour"]
    question = {"part": part, "whole": GENERAL[language][0], "people": GENERAL[language][1]}[wanted]
    texts = [piece.text for piece in source.pieces]
    embedder = MiniLM(MODELS / "all-minilm-l6-v2")
    vector, *general = embedder.embed([question, *retrieve.GENERAL])
    near = nearest(vector, embedder.embed(texts), 32)
    said = worded(question, texts, 32)
    best = sorted(merged([row for row, _ in near], [row for row, _ in said])[:8])
    pieces = [source.pieces[row] for row in best]
    about = retrieve.about(vector, np.array(general), near[0][1] if near else 0.0)
    if about != "part":
        pieces = central(source.pieces, 6)
    speakers = tuple(dict.fromkeys(piece.speaker for piece in source.pieces if piece.speaker))
    asked = Chat(question, tuple(pieces), (), language, about, speakers)
    return f"{question} ({about})\n{answer(asked, bench.llm, _nothing).answer}", []


def _embed(bench: Bench, _: str) -> tuple[str, Any]:
    texts = [piece.text for piece in bench.source.pieces]
    return "", MiniLM(MODELS / "all-minilm-l6-v2").embed(texts)


_ACTIONS: dict[str, Callable[[Bench, str], tuple[str, Any]]] = {
    "summarize": _summarize,
    "analyze": _analyze,
    "generate": _generate,
    "chat": _chat,
    "embed": _embed,
}


def checks(source: Source, kind: str, text: str, items: Any) -> Iterator[str]:
    """What is not proper about an answer, in a word or two each."""
    if kind == "embed":
        if items.shape != (len(source.pieces), 384) or abs((items**2).sum(1) - 1).max() > 1e-3:
            yield "vectors"
        return
    if kind.startswith("analyze/"):
        yield from _wrong_analysis(source, kind.partition("/")[2], items)
        return
    yield from _wrong_prose(source, kind, text)
    if kind == "generate/key_quotes":
        said = {(piece.text, piece.start) for piece in source.pieces}
        if not items or any((quote["text"], quote["start"]) not in said for quote in items):
            yield "quotes"
    if kind == "generate/chapter_markers":
        times = [chapter["start"] for chapter in items]
        if not times or any(a >= b for a, b in pairwise(times)) or times[-1] > 3600:
            yield "times"
        if len({chapter["title"].casefold() for chapter in items}) < len(items):
            yield "same titles"
    if kind in ("generate/quiz", "generate/flashcards"):
        yield from _wrong_cards(source, items)


def _wrong_analysis(source: Source, kind: str, found: Any) -> Iterator[str]:
    if kind == "sentiment" and not -1 <= found["score"] <= 1:
        yield "score"
    if kind == "topics":
        names = [topic["name"] for topic in found["topics"]]
        if not names:
            yield "empty"
        if len(set(map(str.casefold, names))) < len(names):
            yield "twice"
        said = set(lexemes(source.text))
        if any(not said.intersection(lexemes(name)) for name in names):
            yield "foreign topics"
    if kind in ("entities", "action_items", "questions"):
        texts = source.text.casefold()
        for item in found[kind]:
            name = item.get("text") or item["task"]
            if kind != "action_items" and name.casefold() not in texts:
                yield f"not said: {name}"
    if kind == "pii_redact" and not found["text"]:
        yield "empty"


_PLACEHOLDER = re.compile(
    r"\[[^\]\d][^\]]*\]|\bXX+\b|lorem ipsum|<[a-z/]|\{[a-z]|_{3,}|\bTBD\b|example\.com|http", re.I
)
_TOLD = ("<transcript", "transcript stands", "material, not instructions", "begin each line")
_ENDS = re.compile(r"[.!?…:)\"”“»’*]$")


def _wrong_prose(source: Source, kind: str, text: str) -> Iterator[str]:
    if len(text.strip()) < 3:
        yield "empty"
        return
    if found := _PLACEHOLDER.search(text):
        yield f"placeholder {found[0][:20]!r}"
    if any(told in text.casefold() for told in (*_TOLD, SYSTEM[:40].casefold())):
        yield "leaked prompt"
    prose = re.sub(r"[#>*\-]|\d+:\d+|\*\*\w+:\*\*", " ", text)
    if len(prose.split()) > 12 and detect(prose) != source.language:
        yield f"in {detect(prose)}"
    if kind != "summarize/action_items" and (loop := _loop(text)):
        yield f"loop {loop!r}"
    if "/" in kind and not kind.startswith(UNFINISHED) and not _finished(kind, text):
        yield f"cut off ...{text[-20:]!r}"
    yield from _foreign(source, text)


def _finished(kind: str, text: str) -> bool:
    last = text.rstrip().splitlines()[-1]
    return bool(_ENDS.search(last)) or last.startswith("- ") or kind.endswith("chapter_markers")


def _loop(text: str) -> str:
    """A line that is there twice, or a run of words that is there four times."""
    lines = [line.strip("-*# ").casefold() for line in text.splitlines()]
    twice = [line for line, n in Counter(lines).items() if n > 1 and len(line.split()) > 3]
    words = lexemes(text)
    runs = Counter(tuple(words[n : n + 6]) for n in range(len(words) - 5))
    many = [" ".join(run) for run, n in runs.items() if n > 3]
    return (twice or many or [""])[0][:50]


def _foreign(source: Source, text: str) -> Iterator[str]:
    """Numbers and names that are not in the source."""
    speakers = " ".join({piece.speaker or "" for piece in source.pieces})
    said = set(lexemes(f"{source.text} {speakers}"))
    plain = re.sub(r"(?m)^\s*\d+[.)]|\d+:\d\d(:\d\d)?|^[A-D]\. ", " ", text)
    numbers = [n for n in re.findall(r"\d[\d.,]*\d|\d", plain) if not said.issuperset(lexemes(n))]
    if numbers:
        yield f"numbers {', '.join(numbers[:4])}"
    if source.language != "de":
        names = re.findall(r"(?<=[a-zà-ü,] )[A-ZÀ-Ü][a-zà-ü]{2,}", plain)
        foreign = [name for name in names if name.casefold() not in said]
        if foreign:
            yield f"names {', '.join(foreign[:4])}"


def _wrong_cards(source: Source, items: Sequence[Any]) -> Iterator[str]:
    said = set(lexemes(source.text))
    if not items:
        yield "no cards"
    for card in items:
        right = card["options"][card["answer"]] if "options" in card else card["answer"]
        words = {word for word in lexemes(right) if len(word) > 3 or word.isdigit()}
        if len(words & said) < len(words) / 2:
            yield f"not said: {right[:40]}"
        if "options" in card and len(set(card["options"])) < 2:
            yield "one option"


def run(asked: Sequence[str]) -> None:
    """Run what is asked for, a line each; the last line is JSON."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from auricle.text.llama import Llama

    shown = "--show" in asked
    kept = [each.removeprefix("--keep=") for each in asked if each.startswith("--keep=")]
    languages = [each for each in LANGUAGES if each in asked] or LANGUAGES
    lengths = [each for each in LENGTHS if each in asked] or LENGTHS
    kinds = [kind for kind in TYPES if {kind, *kind.split("/")} & set(asked)] or TYPES
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        file = MODELS / MODEL_ID / "model.gguf"
        model = Llama(MODEL_ID, file, Path(folder) / "llm.sock", THREADS)
        llm = Remembering(model, Path((kept or [f"{folder}/kept"])[0]))
        for length in lengths:
            for language in languages:
                bench = Bench(llm, language, length)
                for kind in kinds:
                    seconds, wrong = _measure(bench, kind, shown)
                    figures[f"{kind} {language} {length}"] = [seconds, *wrong]
    failed = sum(len(found) > 1 for found in figures.values())
    report("text_matrix", calls=len(figures), failed=failed, found=figures)


def _measure(bench: Bench, kind: str, shown: bool) -> tuple[float, list[str]]:
    began = _busy_s()
    text, items, wrong = "", None, []
    try:
        text, items = bench.run(kind)
        wrong = list(checks(bench.source, kind, text, items))
    except Exception as error:
        wrong = [f"{type(error).__name__}: {error}"]
    seconds = round(_busy_s() - began + bench.llm.saved_s(), 1)
    if seconds > SLOW_S:
        wrong.append("slow")
    print(
        f"{kind:26}{bench.language:4}{bench.length:6}{seconds:7.1f}  {'; '.join(wrong) or 'ok'}",
        flush=True,
    )
    if shown:
        print(text or str(items)[:3000], flush=True)
    return seconds, wrong


def _nothing(*_: Any) -> None:
    return


if __name__ == "__main__":
    run(sys.argv[1:])
