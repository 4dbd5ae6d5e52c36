"""Work on text: admitted, done by the text worker, counted, paid."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import msgspec
import numpy as np
from django.db import transaction
from django.db.models import QuerySet

from auricle import db, link
from auricle.accounts.models import Account
from auricle.accounts.services import note_text, terms
from auricle.core.errors import NoCredits
from auricle.core.settings import Settings
from auricle.credits import services as credits
from auricle.desk.requests import Customer
from auricle.jobs import services as jobs
from auricle.library import texts as library
from auricle.library.models import Conversation, Transcript
from auricle.library.services import Owner
from auricle.text import requests
from auricle.text.condense import central
from auricle.text.retrieve import F32, GENERAL, About, about, merged, worded
from auricle.text.source import Piece, Source

Step = Callable[[int, int], None]
"""Called with how many steps are done, of how many."""

MOST_FOUND = 8
"""Segments that an answer is made from."""

NAMED = 2
"""How many of them hold the words of a question that seems to be about the whole."""

MOST_HITS = 200
"""Segments that a search finds at most."""

EMBEDDER = "all-minilm-l6-v2"
EMBED_AT_A_TIME = 256


@dataclass(frozen=True, slots=True)
class Found:
    """A segment that a search has found."""

    transcript: Transcript
    piece: Piece
    score: float
    """Cosine where it was found by meaning; else 0."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer in a conversation."""

    answer: str
    model: str
    session: str
    sources: Sequence[Found]


def customer_of(account: Account, *, operator: bool = False) -> Customer:
    """A member of an account, who works on text through the REST API."""
    plan = account.plan
    return Customer(
        Owner(account.pk, ""), terms(plan, "sttai"), plan.monthly_credits, operator=operator
    )


class Texts:
    """The door to the text worker."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        stand_ins = (asked for asked, ours in settings.model_aliases.items() if ours == EMBEDDER)
        self.embedders = frozenset(map(str.casefold, (EMBEDDER, *stand_ins)))
        """Names of the embeddings' model, with those that the operator lets it answer for."""

    async def ask(
        self, customer: Customer, request: requests.Request, step: Step | None = None
    ) -> Any:
        """Have something done, and count it when it is done.

        Raises :class:`Unavailable` while no text worker is there or too much waits,
        :class:`ModelNotInstalled` and :class:`NoCredits`. Who is cancelled meanwhile pays nothing.
        """
        await db.run(self.refuse_poor, customer)
        result = await self._call(request, step)
        await db.run(self.count, customer)
        return result

    async def embed(self, customer: Customer, texts: Sequence[str]) -> tuple[F32, int, str]:
        """Vectors of texts, ``[texts, 384]``; how many tokens they were; the model."""
        found = await self.ask(customer, requests.Embed(tuple(texts)))
        embedded = msgspec.convert(found, requests.Embedded)
        return _vectors(embedded), embedded.tokens, embedded.model

    async def chat(
        self,
        customer: Customer,
        transcript: Transcript,
        source: Source,
        question: str,
        session: str,
    ) -> Reply:
        """Answer a question about a transcript, of which ``source`` is what was said.

        Raises :class:`NotFound` for a session that is not there, and as :meth:`ask` does.
        """
        row: Conversation | None = None
        before: tuple[tuple[str, str], ...] = ()
        if session:
            row = await db.run(library.conversation, transcript.pk, session)
            before = await db.run(library.history, row)
        rows = Transcript.objects.filter(pk=transcript.pk)
        sources, kind = await self._relevant(rows, source, question)
        speakers = dict.fromkeys(piece.speaker for piece in source.pieces if piece.speaker)
        asked = requests.Chat(
            question,
            tuple(found.piece for found in sources),
            before,
            transcript.language,
            kind,
            () if kind == "part" else tuple(speakers),
        )
        made = await self.ask(customer, asked)
        if row is None:
            row = await db.run(library.conversation, transcript.pk, "")
        shown = [{"segment_id": f.piece.id, "score": f.score} for f in sources]
        await db.run(library.keep_turn, row, question, made["answer"], shown, made["model"])
        return Reply(made["answer"], made["model"], row.slug, sources)

    async def search(
        self, customer: Customer, asked: str, *, meaning: bool, words: bool
    ) -> list[Found]:
        """Segments of all transcripts of an account, best first: by meaning, words or both."""
        await db.run(self.refuse_poor, customer)
        rows = customer.owner.rows().filter(status="SUCCEEDED")
        near: list[library.Hit] = []
        said: list[library.Hit] = []
        if words:
            said = await db.run(library.by_words, rows, asked, MOST_HITS, every=not meaning)
        if meaning:
            await self.make_vectors(rows)
            (question,) = await self._vectors_of((asked,))
            near = await db.run(library.by_meaning, rows, question, MOST_HITS)
        await db.run(self.count, customer)
        return await self._found(near, said, MOST_HITS)

    async def make_vectors(self, transcripts: QuerySet[Transcript]) -> None:
        """Make the vectors that are missing, whoever waits for them or nobody."""
        while True:
            missing = await db.run(library.without_vector, transcripts, EMBED_AT_A_TIME)
            if not missing:
                return
            vectors = await self._vectors_of([text for _, text in missing])
            await db.run(library.keep_vectors, [pk for pk, _ in missing], vectors)

    async def _vectors_of(self, texts: Sequence[str]) -> F32:
        found = await self._call(requests.Embed(tuple(texts)))
        return _vectors(msgspec.convert(found, requests.Embedded))

    async def _relevant(
        self, rows: QuerySet[Transcript], source: Source, question: str
    ) -> tuple[list[Found], About]:
        """The segments of a transcript that a question is about, in their order, or none; for one
        about the whole, those that say most."""
        await self.make_vectors(rows)
        vector, *general = await self._vectors_of((question, *GENERAL))
        near = await db.run(library.by_meaning, rows, vector, 4 * MOST_FOUND)
        said = [
            library.Hit(source.pieces[place].id or 0, 0.0)
            for place, _ in worded(question, [p.text for p in source.pieces], 4 * MOST_FOUND)
        ]
        kind = about(vector, np.array(general), near[0].score if near else 0.0)
        if kind != "part":
            best = central(source.pieces, MOST_FOUND - NAMED)
            near, said = [library.Hit(piece.id or 0, 0.0) for piece in best], said[:NAMED]
        found = await self._found(near, said, MOST_FOUND)
        return sorted(found, key=lambda each: each.piece.order), kind

    async def _found(
        self, near: Sequence[library.Hit], said: Sequence[library.Hit], most: int
    ) -> list[Found]:
        scores = {hit.segment: hit.score for hit in near}
        best = merged([hit.segment for hit in near], [hit.segment for hit in said])[:most]
        rows = await db.run(library.pieces_of, best)
        return [Found(*rows[pk], round(scores.get(pk, 0.0), 4)) for pk in best if pk in rows]

    async def _call(self, request: requests.Request, step: Step | None = None) -> Any:
        silence = timedelta(seconds=self._settings.worker_timeout_s)
        address = await db.run(jobs.text_address, silence, jobs.this_machine())
        method = type(request).__name__.lower()
        async with link.call(address, method, msgspec.to_builtins(request)) as conversation:
            async for event in conversation:
                if step is not None:
                    step(event["done"], event["total"])
            return conversation.result

    def refuse_poor(self, customer: Customer) -> None:
        """Raise :class:`NoCredits` for who cannot pay for a request. Runs in a database thread."""
        price, owner = self._settings.text_credits, customer.owner
        if not price or owner.account is None or not customer.terms.metered:
            return
        if credits.balance(owner.account, customer.monthly_credits) < price:
            raise NoCredits(credits.USED_UP)

    @transaction.atomic
    def count(self, customer: Customer) -> None:
        """Note a request that was done, and have it paid. Runs in a database thread."""
        owner, price = customer.owner, self._settings.text_credits
        if owner.account is None:
            return
        note_text(owner.account, owner.network)
        if price and customer.terms.metered:
            credits.spend(owner.account, price)


def _vectors(found: requests.Embedded) -> F32:
    return np.frombuffer(found.vectors, "<f4").reshape(-1, requests.DIMENSIONS)
