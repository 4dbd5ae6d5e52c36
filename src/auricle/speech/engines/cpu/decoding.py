"""Decoding of many windows at once, one token of each a step.

A window that is done leaves, and another may join before any step, so steps stay full. Rows know
nothing of each other: what one says does not depend on who else is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile

import numpy as np
from numpy.typing import NDArray

from auricle.speech.engines.cpu import stepping, weights
from auricle.speech.engines.cpu.arithmetic import F32, HEAD, Linear
from auricle.speech.engines.cpu.attention import Heard, nothing_heard
from auricle.speech.engines.cpu.checkpoint import Checkpoint
from auricle.speech.engines.cpu.encoding import Window
from auricle.speech.engines.cpu.lanes import PANEL, TILE
from auricle.speech.engines.ctranslate2 import CONTEXT
from auricle.speech.loops import runs_in_circles
from auricle.speech.tokens import WhisperTokens

NEVER = np.float32(-1e9)
"""What is added to the logits of a token that may not come."""

_STEPS = 64
"""Steps for which there is room at first to write down what was attended to."""


@dataclass(slots=True, eq=False)
class Row:
    """One hypothesis of what a window says."""

    window: Window
    prompt: Sequence[int]
    start: int
    """Where in the prompt ``<|startoftranscript|>`` stands."""
    most: int
    """Tokens after which it is stopped."""
    given: int = 0
    """How many tokens at the prompt's end are text already."""
    forced: Sequence[int] | None = None
    """What it has to say, when only its times are asked for."""

    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    """One for each token, and one for the end."""
    first: F32 | None = None
    """Logits after ``<|startoftranscript|>``: the language, and whether anybody speaks."""
    seen: F32 = field(default_factory=lambda: np.empty((0, 0, 0), np.float32))
    """What the watched heads attend to: ``[heads, room for steps from the start, sound]``."""
    position: int = 0
    said: Heard | None = None
    """Keys and values of its tokens, while it is being decoded."""

    @property
    def steps(self) -> int:
        """How many steps from the start there are to be seen."""
        return self.position - self.start

    @property
    def text(self) -> tuple[int, ...]:
        """What it says: what was given, and what came after that."""
        return (*self.prompt[len(self.prompt) - self.given :], *self.tokens)

    @property
    def ready(self) -> int:
        """How many tokens can go in now: all that is left of the prompt, then one at a time."""
        return max(1, len(self.prompt) - self.position)

    def token(self, position: int) -> int:
        """The token that stands there."""
        if position < len(self.prompt):
            return self.prompt[position]
        return self.tokens[position - len(self.prompt)]

    def wants_logits(self, position: int) -> bool:
        """Whether it matters what could come after the token there."""
        return position == self.start or position >= len(self.prompt) - 1

    @property
    def score(self) -> float:
        """Mean log probability of a token, the end included."""
        return sum(self.logprobs) / max(1, len(self.logprobs))

    def follow(self, other: Row) -> None:
        """Become what another hypothesis of the same window is."""
        assert self.said
        assert other.said
        pairs = zip(self.tokens, other.tokens, strict=False)
        same = takewhile(lambda pair: pair[0] == pair[1], pairs)
        first = len(self.prompt) + sum(1 for _ in same) if self.position else 0
        panels = slice(first // PANEL, other.position // PANEL + 1)
        frames = slice(panels.start * PANEL, panels.stop * PANEL)
        quads = slice(frames.start // 4, frames.stop // 4)
        parts = panels, frames, frames, quads, frames
        for ours, theirs, part in zip(self.said.arrays, other.said.arrays, parts, strict=True):
            ours[:, part] = theirs[:, part]
        if self.seen.shape != other.seen.shape:
            self.seen, first = np.empty_like(other.seen), self.start
        steps = slice(max(0, first - self.start), other.steps)
        self.seen[:, steps] = other.seen[:, steps]
        self.tokens, self.logprobs = list(other.tokens), list(other.logprobs)
        self.first, self.position = other.first, other.position

    def ended(self, logprob: float) -> Row:
        """A copy of it, with its end."""
        copied = replace(self, tokens=list(self.tokens), logprobs=[*self.logprobs, logprob])
        copied.seen, copied.said = self.seen[:, : self.steps].copy(), None
        return copied


@dataclass(slots=True, eq=False)
class Search:
    """Several hypotheses for one window (beam search): the most probable are followed, and the best
    of those that ended is taken."""

    size: int
    rows: list[Row]
    """One, until its prompt is through."""
    ended: list[Row] = field(default_factory=list)

    @property
    def best(self) -> Row:
        return max(self.ended or self.rows, key=lambda row: row.score)

    def advance(self, tokens: NDArray[np.int64], logprobs: F32, end: int) -> list[Row]:
        """Take the next tokens, of ``[rows, twice the size]``; returns the rows to go on with."""
        ways = [
            (sum(row.logprobs) + float(logprobs[n, m]), n, int(tokens[n, m]), float(logprobs[n, m]))
            for n, row in enumerate(self.rows)
            for m in range(2 * self.size)
        ]
        followed: list[tuple[int, int, float]] = []
        for rank, (_, parent, token, logprob) in enumerate(sorted(ways, reverse=True)):
            if token == end and rank < self.size:
                self.ended.append(self.rows[parent].ended(logprob))
            elif token != end and len(followed) < self.size:
                followed.append((parent, token, logprob))
        if len(self.ended) >= self.size or len(self.rows[0].tokens) + 1 >= self.rows[0].most:
            return []
        self.rows = self._followed(followed)
        return self.rows

    def _followed(self, ways: list[tuple[int, int, float]]) -> list[Row]:
        """A row for each way: its parent itself where that is free, or else a copy of it."""
        heirs = {parent: n for n, (parent, _, _) in reversed(list(enumerate(ways)))}
        spare = [row for n, row in enumerate(self.rows) if n not in heirs]
        result = []
        for n, (parent, _, _) in enumerate(ways):
            row = self.rows[parent]
            if heirs[parent] != n:
                row = spare.pop() if spare else _empty(row)
                row.follow(self.rows[parent])
            result.append(row)
        for row, (_, token, logprob) in zip(result, ways, strict=True):
            row.tokens.append(token)
            row.logprobs.append(logprob)
        return result


def _empty(row: Row) -> Row:
    """Room for another hypothesis of the same window."""
    assert row.said
    heads, panels = row.said.keys.shape[:2]
    made = Row(row.window, row.prompt, row.start, row.most, row.given)
    made.said = nothing_heard(heads, panels * PANEL)
    return made


@dataclass(frozen=True, slots=True)
class _Layer:
    """A layer, as its three kernels want it."""

    weights: tuple[Linear, ...]
    """What the addresses in the rest lead to."""
    to_itself: tuple[NDArray[np.generic], ...]
    to_window: tuple[NDArray[np.generic], ...]
    feed_forward: tuple[NDArray[np.generic], ...]


class Decoder:
    """The decoder of one model; for one thread."""

    def __init__(self, checkpoint: Checkpoint, tokens: WhisperTokens) -> None:
        self.rows: list[Row] = []
        self._searches: list[Search] = []
        self._layers = [
            _layer(checkpoint, f"decoder/layer_{n}") for n in range(checkpoint.layers("decoder"))
        ]
        self._embeddings = checkpoint.weights["decoder/embeddings/weight"]
        self._positions = checkpoint["decoder/position_encodings/encodings"]
        embeddings = checkpoint["decoder/embeddings/weight"]
        nothing = np.zeros(len(embeddings), np.float32)
        self._norm, self._last = weights.after_norm(
            checkpoint, "decoder/layer_norm", embeddings, nothing
        )
        self._heads = len(self._layers) * checkpoint.heads
        self._watched, self._watching = _watched(checkpoint)
        self._masks = _masks(checkpoint, tokens)
        room = -(-CONTEXT // PANEL) * PANEL
        self._said_masks = np.repeat(np.array([0, -1e30], np.float32), room)
        self._end = tokens.end

    def join(self, row: Row, beam_size: int = 1) -> Search:
        """Let a row take part from the next step on; :meth:`step` returns the search when it is
        done."""
        tokens = min(CONTEXT, len(row.prompt) + row.most)
        row.said = nothing_heard(self._heads, tokens)
        row.seen = np.empty((self._watching, _STEPS, row.window.sound), np.float32)
        search = Search(beam_size, [row])
        self._searches.append(search)
        self._arrange()
        return search

    def clear(self) -> None:
        """Let all leave."""
        self._searches, self.rows = [], []

    def step(self) -> list[Search]:
        """The next token of each row, and what there is room for of the prompts; returns the
        searches that are done."""
        rows, positions = self._places()
        lengths = np.array(positions)
        seen, steps = self._room_to_see(rows, positions)
        said, windows = self._said[rows], self._windows[rows]
        states = np.zeros((-(-len(rows) // TILE) * TILE, self._positions.shape[1]), np.float32)
        tokens = [self.rows[n].token(at) for n, at in zip(rows, positions, strict=True)]
        states[: len(rows)] = self._embeddings[tokens]
        states[: len(rows)] += self._positions[lengths]
        for number, layer in enumerate(self._layers):
            stepping.to_itself(states, *layer.to_itself, said, lengths, self._said_masks, number)
            watched = self._watched[number]
            stepping.to_window(states, *layer.to_window, windows, seen, steps, watched, number)
            stepping.feed_forward(states, *layer.feed_forward)
        return self._choose(states, rows, positions)

    def _places(self) -> tuple[list[int], list[int]]:
        """Whose tokens go in now, and where each stands.

        Those of one row share a tile, in which the kernels take them in turn: there each attends to
        the ones before it.
        """
        rows: list[int] = []
        positions: list[int] = []
        for n, row in enumerate(self.rows):
            count = min(row.ready, TILE - len(rows) % TILE)
            rows += [n] * count
            positions += range(row.position, row.position + count)
        return rows, positions

    def _arrange(self) -> None:
        """Note where the rows' keys and values are."""
        self.rows = [row for search in self._searches for row in search.rows]
        said = [row.said.places for row in self.rows if row.said]
        windows = [row.window.heard.places for row in self.rows]
        self._said, self._windows = np.array(said), np.array(windows)

    def _room_to_see(
        self, rows: list[int], positions: list[int]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Make room to write down what is attended to; returns where, and the step of each."""
        last = dict(zip(rows, positions, strict=True))
        for n, position in last.items():
            row = self.rows[n]
            if position - row.start >= row.seen.shape[1]:
                more = max(_STEPS, row.seen.shape[1])
                room = np.empty((self._watching, more, row.window.sound), np.float32)
                row.seen = np.concatenate([row.seen, room], axis=1)
        pairs = [(self.rows[n], at) for n, at in zip(rows, positions, strict=True)]
        seen = np.array([_seen(row, at) for row, at in pairs], np.int64)
        return seen, np.array([at - row.start for row, at in pairs], np.int64)

    def _choose(self, states: F32, rows: list[int], positions: list[int]) -> list[Search]:
        asked = [
            at
            for at, (n, position) in enumerate(zip(rows, positions, strict=True))
            if self.rows[n].wants_logits(position)
        ]
        for n, position in zip(rows, positions, strict=True):
            self.rows[n].position = position + 1
        if not asked:
            return []
        chosen = np.zeros((-(-len(asked) // TILE) * TILE, states.shape[1]), np.float32)
        chosen[: len(asked)] = states[asked]
        logits = np.empty((len(chosen), len(self._last.scales)), np.float32)
        stepping.to_logits(chosen, self._norm, self._last.places, logits)
        count = max(2 * search.size if search.size > 1 else 1 for search in self._searches)
        tokens = np.zeros((len(asked), count), np.int64)
        logprobs = np.zeros((len(asked), count), np.float32)
        begins = [not self.rows[rows[at]].text for at in asked]
        stepping.choose(logits, self._masks, np.array(begins, np.int64), tokens, logprobs)
        places: dict[Row, int] = {}
        for place, at in enumerate(asked):
            row = self.rows[rows[at]]
            if positions[at] == row.start:
                row.first = logits[place].copy()
            if positions[at] >= len(row.prompt) - 1:
                places[row] = place
        return self._advance(places, logits, tokens, logprobs)

    def _advance(
        self, places: dict[Row, int], logits: F32, tokens: NDArray[np.int64], logprobs: F32
    ) -> list[Search]:
        """Take the next tokens; returns what is done."""
        done: list[Search] = []
        changed = False
        for search in self._searches:
            row = search.rows[0]
            if row not in places:
                continue
            at = [places[each] for each in search.rows]
            if search.size > 1:
                before = search.rows
                if not search.advance(tokens[at], logprobs[at], self._end):
                    done.append(search)
                changed |= search.rows is not before
            elif self._take(row, logits[at[0]], int(tokens[at[0], 0]), float(logprobs[at[0], 0])):
                done.append(search)
        if done or changed:
            self._searches = [search for search in self._searches if search not in done]
            self._arrange()
        for search in done:
            search.best.said = None
        return done

    def _take(self, row: Row, logits: F32, token: int, logprob: float) -> bool:
        """Take the next token of the only hypothesis; returns whether it is done."""
        if row.forced is not None:
            if len(row.tokens) == len(row.forced):
                return True
            token = row.forced[len(row.tokens)]
            most = float(logits.max())
            logprob = float(logits[token]) - most - float(np.log(np.exp(logits - most).sum()))
        row.logprobs.append(logprob)
        if token == self._end:
            return True
        row.tokens.append(token)
        if row.forced is not None:
            return False
        return len(row.tokens) >= row.most or runs_in_circles(row.tokens)


def _seen(row: Row, position: int) -> tuple[int, int, int]:
    """What :mod:`stepping` wants to know of a row; nothing is written down before its start."""
    if position < row.start:
        return 0, 0, 0
    return row.seen.ctypes.data, row.seen.shape[1], row.seen.shape[2]


def _layer(checkpoint: Checkpoint, name: str) -> _Layer:
    itself, window = f"{name}/self_attention", f"{name}/attention"
    first_norm, first = weights.attending(checkpoint, itself)
    first_joining = weights.joining(checkpoint, f"{itself}/linear_1")
    scale = np.float32(HEAD**-0.5)
    weight, bias = (checkpoint[f"{window}/linear_0/{part}"] * scale for part in ("weight", "bias"))
    query_norm, query = weights.after_norm(checkpoint, f"{window}/layer_norm", weight, bias)
    second_joining = weights.joining(checkpoint, f"{window}/linear_2")
    inner_norm, inner, outer = weights.feed_forward(checkpoint, f"{name}/ffn")
    return _Layer(
        (first, first_joining, query, second_joining, inner, outer),
        (first_norm, first.places, first_joining.places),
        (query_norm, query.places, second_joining.places),
        (inner_norm, inner.places, outer.places),
    )


def _watched(checkpoint: Checkpoint) -> tuple[NDArray[np.int64], int]:
    """``[layers, heads]``: a head's place among those that show word times, or -1; and how many
    those are. Models that do not name them: all heads of the upper half of the layers."""
    layers = checkpoint.layers("decoder")
    named = checkpoint.config.get("alignment_heads") or [
        (layer, head) for layer in range(layers // 2, layers) for head in range(checkpoint.heads)
    ]
    watched = np.full((layers, checkpoint.heads), -1, np.int64)
    for place, (layer, head) in enumerate(named):
        watched[layer, head] = place
    return watched, len(named)


def _masks(checkpoint: Checkpoint, tokens: WhisperTokens) -> F32:
    """``[2, vocabulary filled up]``, added to logits: always, and for the first token of a text.

    What is never text: control tokens but the end, times, and what the model says to suppress.
    """
    size = -(-checkpoint.vocabulary // PANEL) * PANEL
    always = np.zeros(size, np.float32)
    always[tokens.end + 1 :] = NEVER
    always[checkpoint.config.get("suppress_ids", [])] = NEVER
    at_first = always.copy()
    at_first[checkpoint.config.get("suppress_ids_begin", [])] = NEVER
    return np.stack([always, at_first])
