"""The text worker's models, and what it does with them. Everything here blocks."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec

from auricle.core.errors import UnknownModel
from auricle.core.settings import Settings
from auricle.models import TEXT, Model, ModelStore, lookup, work_not_installed
from auricle.models.idle import Idle
from auricle.text import chat, requests
from auricle.text.analyze import Tools, analyze, topics
from auricle.text.asking import Progress
from auricle.text.generate import generate
from auricle.text.languages import detect
from auricle.text.llm import LLM, Tick, remote
from auricle.text.named import Finder
from auricle.text.source import Source, from_text
from auricle.text.summarize import summarize
from auricle.text.writing import Writer
from auricle.work.cores import threads

log = logging.getLogger(__name__)

IDLE_S = 600.0
"""Seconds after which a model that nobody uses is unloaded."""

_PURPOSES = {
    "llm": "A language model",
    "embeddings": "Search by meaning",
    "translation": "Translation",
    "entities": "Finding names",
    "people": "Finding names",
}


_NAMED_BY = {"en": "entities"} | dict.fromkeys(("es", "pt", "fr", "de", "it"), "people")
"""Which kind of model finds names in a language."""


class TextEngine:
    """Does what :mod:`auricle.text.requests` asks for."""

    def __init__(self, settings: Settings, socket: Path) -> None:
        self._settings = settings
        self._socket = socket
        self._store = ModelStore(settings.models_dir)
        self._llm: Idle[LLM] = Idle(self._load_llm, IDLE_S)
        self._embedder: Idle[Any] = Idle(self._load_embedder, IDLE_S)
        self._finders: dict[str, Idle[Finder]] = {
            "entities": Idle(self._load_names, IDLE_S),
            "people": Idle(self._load_people, IDLE_S),
        }
        self._translators: Idle[Any] = Idle(self._load_translators, IDLE_S)

    def unload_idle(self) -> None:
        """Unload what nobody has used for a while."""
        for model in (
            self._llm,
            self._embedder,
            self._translators,
            *self._finders.values(),
        ):
            if model.unload_if_idle():
                log.info("a model was unloaded, because nobody used it")

    def run(self, request: requests.Request, progress: Progress, tick: Tick) -> Any:
        """Do what is asked; the result can be sent over the link.

        Raises :class:`ModelNotInstalled`, :class:`Unavailable`, and what the callbacks raise.
        """
        with ExitStack() as held:
            return _RUN[type(request)](self, request, _Use(self, held, progress, tick))

    def installed(self, kind: str) -> Model | None:
        """The first installed model of a kind, in the catalog's order."""
        return next((m for m in TEXT if m.kind == kind and self._store.has(m)), None)

    def _path(self, kind: str) -> tuple[Model, Path]:
        model = self.installed(kind)
        if model is None:
            first = next(m for m in reversed(TEXT) if m.kind == kind)
            raise work_not_installed(first, _PURPOSES[kind])
        return model, self._store.path(model)

    def _load_llm(self) -> LLM:
        settings = self._settings
        if settings.llm_url:
            key = settings.llm_key.get_secret_value() if settings.llm_key else None
            return remote(settings.llm_url, settings.llm_model or "", key)
        from auricle.text.llama import Llama  # noqa: PLC0415  (loads the runtime)

        if settings.llm_model:
            model = lookup(settings.llm_model)
            if model.kind != "llm":
                raise UnknownModel(f"AURICLE_LLM_MODEL={model.id} is no language model.")
            if not self._store.has(model):
                raise work_not_installed(model, _PURPOSES["llm"])
            folder = self._store.path(model)
        else:
            model, folder = self._path("llm")
        log.info("loading %s", model.id)
        return Llama(model.id, folder / next(iter(model.files)), self._socket, threads(settings))

    def _load_embedder(self) -> Any:
        from auricle.text.embeddings import MiniLM  # noqa: PLC0415

        return MiniLM(self._path("embeddings")[1])

    def _load_names(self) -> Finder:
        from auricle.text.entities import Names  # noqa: PLC0415

        return Names(self._path("entities")[1])

    def _load_people(self) -> Finder:
        from auricle.text.people import People  # noqa: PLC0415

        return People(self._path("people")[1])

    def _load_translators(self) -> Any:
        from auricle.text.translation import Translators  # noqa: PLC0415

        return Translators(self._store, threads(self._settings))


class _Use:
    """The models, held from their first use until the end of a request."""

    def __init__(self, engine: TextEngine, held: ExitStack, progress: Progress, tick: Tick) -> None:
        self._engine = engine
        self._held = held
        self.progress = progress
        self.tick = tick

    def llm(self) -> LLM:
        return self._held.enter_context(self._engine._llm.hold())

    def names(self, language: str) -> Finder | None:
        kind = _NAMED_BY.get(language)
        if kind is None or self._engine.installed(kind) is None:
            return None
        return self._held.enter_context(self._engine._finders[kind].hold())

    def embedder(self) -> Any:
        return self._held.enter_context(self._engine._embedder.hold())

    def translators(self) -> Any:
        return self._held.enter_context(self._engine._translators.hold())


def _known(source: Source) -> Source:
    """The same with its language; plain text comes as one piece and is cut into sentences."""
    language = source.language or detect(source.text)
    if source.original is None:
        return msgspec.structs.replace(source, language=language)
    return from_text(source.original, language)


def _summarize(engine: TextEngine, asked: requests.Summarize, use: _Use) -> Any:
    source = _known(asked.source)
    language = asked.language or source.language
    found = summarize(source, asked.style, language, use.llm(), use.progress, use.tick)
    shown = msgspec.to_builtins(found)
    if asked.topics:
        told = from_text(found.summary, language)
        tools = Tools(use.llm, use.names, use.progress, use.tick)
        shown["topics"] = [topic.name for topic in topics(told, language, tools)[0]["topics"]]
    return shown


def _analyze(engine: TextEngine, asked: requests.Analyze, use: _Use) -> Any:
    source = _known(asked.source)
    language = asked.language or source.language
    tools = Tools(use.llm, use.names, use.progress, use.tick)
    found = {kind: analyze(source, kind, language, tools) for kind in asked.kinds}
    return {
        "results": {kind: result for kind, (result, _) in found.items()},
        "models": {kind: model for kind, (_, model) in found.items()},
        "language": source.language,
    }


def _generate(engine: TextEngine, asked: requests.Generate, use: _Use) -> Any:
    source = _known(asked.source)
    language = asked.language or source.language
    writer = Writer(source, language, use.llm(), use.progress, use.tick, asked.wish)
    return msgspec.to_builtins(generate(writer, asked.kind))


def _chat(engine: TextEngine, asked: requests.Chat, use: _Use) -> Any:
    language = asked.language or detect(asked.question)
    known = msgspec.structs.replace(asked, language=language)
    return msgspec.to_builtins(chat.answer(known, use.llm(), use.tick))


def _embed(engine: TextEngine, asked: requests.Embed, use: _Use) -> Any:
    model = use.embedder()
    vectors = model.embed(asked.texts, use.progress)
    return msgspec.to_builtins(
        requests.Embedded(vectors.tobytes(), model.count(asked.texts), "all-minilm-l6-v2"),
        builtin_types=(bytes,),
    )


def _translate(engine: TextEngine, asked: requests.Translate, use: _Use) -> Any:
    found = use.translators().translate(asked.texts, asked.source, asked.target, use.progress)
    return {"texts": found.texts, "model": found.model}


_RUN: dict[type[Any], Callable[[TextEngine, Any, _Use], Any]] = {
    requests.Summarize: _summarize,
    requests.Analyze: _analyze,
    requests.Generate: _generate,
    requests.Chat: _chat,
    requests.Embed: _embed,
    requests.Translate: _translate,
}
