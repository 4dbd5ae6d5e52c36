"""Greedy decoding of many windows at once, one token of each a step.

A window that is done makes room for the next at once, so steps stay full. Rows know nothing of
each other: what one says does not depend on who else is there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auricle.speech.engines.openvino import kernels
from auricle.speech.engines.openvino.checkpoint import Checkpoint
from auricle.speech.tokens import WhisperTokens

F32 = NDArray[np.float32]
I8 = NDArray[np.int8]

CONTEXT = 448
"""Tokens that the decoder knows positions for."""

NEVER = np.float32(-1e9)
"""What is added to the logits of a token that may not come."""


@dataclass(frozen=True, slots=True)
class Packed:
    """A window as the decoder attends to it: keys and values of each layer."""

    keys: I8
    """``[layers, heads, 64, frames]``"""
    values: I8
    """``[layers, heads, frames, 64]``"""
    key_scales: F32
    """``[layers, heads, 64]``"""
    value_scales: F32

    @property
    def frames(self) -> int:
        return int(self.keys.shape[3])


@dataclass(slots=True, eq=False)
class Row:
    """One window being decoded, and what came of it."""

    window: Packed
    prompt: Sequence[int]
    start: int
    """Where in the prompt ``<|startoftranscript|>`` stands."""
    most: int
    """Tokens after which it is stopped."""
    forced: Sequence[int] | None = None
    """What it has to say, when only its times are asked for."""

    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    """One for each token, and one for the end."""
    first: F32 | None = None
    """Logits after ``<|startoftranscript|>``: the language, and whether anybody speaks."""
    seen: F32 | None = None
    """What the watched heads attend to: ``[heads, steps from the start, frames]``."""
    position: int = 0

    @property
    def steps(self) -> int:
        """How many steps from the start there are to be seen."""
        return self.position - self.start


class Decoder:
    """The decoder of one model; for one thread."""

    def __init__(
        self, checkpoint: Checkpoint, tokens: WhisperTokens, pieces: Sequence[Any], slots: int
    ) -> None:
        self._requests = [piece.create_infer_request() for piece in pieces]
        self._layers = checkpoint.layers("decoder")
        self._embeddings = checkpoint.weights["decoder/embeddings/weight"]
        self._positions = checkpoint["decoder/position_encodings/encodings"]
        self._width, self._heads = checkpoint.width, checkpoint.heads
        self._watched, self._watching = _watched(checkpoint)
        self._masks = _masks(checkpoint, tokens)
        self._end = tokens.end
        room = (self._layers, slots, self._heads, CONTEXT, kernels.HEAD)
        self._keys, self._values = np.empty(room, np.float32), np.empty(room, np.float32)
        self._free = list(range(slots))

    def run(self, rows: Iterable[Row]) -> None:
        """Decode them all."""
        waiting = deque(rows)
        active = _Active()
        while waiting or active.rows:
            joining = [
                (waiting.popleft(), self._free.pop())
                for _ in range(min(len(waiting), len(self._free)))
            ]
            if joining:
                for row, _ in joining:
                    self._watch(row)
                active.join(joining)
            done = self._step(active)
            if done:
                self._free += active.leave(done)

    def _watch(self, row: Row) -> None:
        room = len(row.prompt) - row.start + row.most
        row.seen = np.empty((self._watching, room, row.window.frames), np.float32)

    def _step(self, active: _Active) -> list[int]:
        """One token for each row; returns the indices of those that are done."""
        active.look()
        states = self._embeddings[active.tokens].astype(np.float32)
        states += self._positions[active.positions]
        (through,) = self._infer(0, states)
        heard = np.empty((len(active.rows), self._width), np.float32)
        for layer in range(self._layers):
            kernels.self_attention(
                through,
                self._keys[layer],
                self._values[layer],
                active.slots,
                active.positions,
                heard,
            )
            states, query = self._infer(2 * layer + 1, states, heard)
            kernels.cross_attention(
                query,
                active.places,
                active.frames,
                layer,
                self._watched[layer],
                active.steps,
                heard,
            )
            if layer + 1 < self._layers:
                states, through = self._infer(2 * layer + 2, states, heard)
        return self._choose(active, states, heard)

    def _infer(self, piece: int, *inputs: Any) -> list[Any]:
        request = self._requests[piece]
        request.infer(list(inputs), share_inputs=True, share_outputs=True)
        return [tensor.data for tensor in request.output_tensors]

    def _choose(self, active: _Active, states: F32, heard: F32) -> list[int]:
        asked = [n for n, row in enumerate(active.rows) if _wants_logits(row)]
        for row in active.rows:
            row.position += 1
        if not asked:
            return []
        if len(asked) < len(active.rows):
            states, heard = states[asked], heard[asked]
        (logits,) = self._infer(2 * self._layers, states, heard)
        rows = [active.rows[n] for n in asked]
        chosen = np.empty(len(rows), np.int64)
        logprobs = np.empty(len(rows), np.float32)
        masks = np.array([1 if not row.tokens else 0 for row in rows])
        kernels.choose(logits, self._masks, masks, chosen, logprobs)
        return [
            asked[n]
            for n, row in enumerate(rows)
            if self._take(row, logits[n], int(chosen[n]), float(logprobs[n]))
        ]

    def _take(self, row: Row, logits: F32, token: int, logprob: float) -> bool:
        """Take the next token of a row; returns whether it is done."""
        if row.position - 1 == row.start:
            row.first = logits.copy()
        if row.position < len(row.prompt):
            return False
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
        return len(row.tokens) >= row.most and row.forced is None


class _Active:
    """The rows of a step, as the kernels want to see them."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self._slots: list[int] = []

    def join(self, joining: Sequence[tuple[Row, int]]) -> None:
        """Take rows in, each at its slot."""
        for row, slot in joining:
            self.rows.append(row)
            self._slots.append(slot)
        self._arrange()

    def leave(self, done: Sequence[int]) -> list[int]:
        """Let rows go; returns their slots."""
        free = [self._slots[n] for n in done]
        gone = set(done)
        self.rows = [row for n, row in enumerate(self.rows) if n not in gone]
        self._slots = [slot for n, slot in enumerate(self._slots) if n not in gone]
        self._arrange()
        return free

    def look(self) -> None:
        """Note where each row stands."""
        self.positions = np.array([row.position for row in self.rows])
        self.tokens = np.array([_next(row) for row in self.rows])
        self.steps[:, 0] = np.maximum(0, self.positions - self._starts)
        self.steps[:, 1] = np.where(self.positions >= self._starts, self._rooms, 0)

    def _arrange(self) -> None:
        self.slots = np.array(self._slots, np.int64)
        self.frames = np.array([row.window.frames for row in self.rows], np.int64)
        self.places = np.array([_places(row) for row in self.rows], np.int64).reshape(-1, 5)
        self._starts = np.array([row.start for row in self.rows], np.int64)
        rooms = [0 if row.seen is None else row.seen.shape[1] for row in self.rows]
        self._rooms = np.array(rooms, np.int64)
        self.steps = np.zeros((len(self.rows), 2), np.int64)


def _wants_logits(row: Row) -> bool:
    return row.position == row.start or row.position >= len(row.prompt) - 1


def _next(row: Row) -> int:
    """The token that goes in now."""
    if row.position < len(row.prompt):
        return row.prompt[row.position]
    return row.tokens[row.position - len(row.prompt)]


def _places(row: Row) -> tuple[int, ...]:
    window = row.window
    seen = 0 if row.seen is None else row.seen.ctypes.data
    return (
        window.keys.ctypes.data,
        window.values.ctypes.data,
        window.key_scales.ctypes.data,
        window.value_scales.ctypes.data,
        seen,
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
    """``[2, vocabulary]``, to be added to logits: always, and for the first token of a text.

    What is never text: control tokens but the end, times, and what the model says to suppress.
    """
    always = np.zeros(checkpoint.vocabulary, np.float32)
    always[tokens.end + 1 :] = NEVER
    always[checkpoint.config.get("suppress_ids", [])] = NEVER
    at_first = always.copy()
    at_first[checkpoint.config.get("suppress_ids_begin", [])] = NEVER
    return np.stack([always, at_first])
