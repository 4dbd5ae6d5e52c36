"""Names of people and places in Spanish, Portuguese, French, German and Italian, by Rampart.

A small BERT that was trained to find what identifies people; organisations it does not know.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from tokenizers import Tokenizer

from auricle.text.named import Named

LIKELY = 0.2
"""Probability from which a word is (part of) a name. On sentences made with Faker eight to ten of
ten names of people are found and nothing else; from 0.1 on a few more, and "Vortag" is a place."""

LIKELY_BESIDE = 0.02
"""The same beside a word that surely is one: surnames are often less sure than given names."""

_PERSON, _PLACE = slice(1, 5), slice(23, 35)
"""Rampart's labels: given names and surnames; house numbers to postcodes. 0 is no name, the others
are numbers that patterns find more surely."""

WINDOW, OVERLAP = 400, 50
"""Tokens that it sees at a time, of at most 512."""

TOGETHER = 16
"""Windows at a time."""

_SENTENCE = re.compile(r"^|(?<=\n)|(?<=[.!?…])(?=\s)")
"""Where one begins."""

_WORD = re.compile(r"[^\W_][\w’'-]*")
_BETWEEN = re.compile(r"\s+(?:d[aeiou]s?|del|della|di|du|la|von|van|der|zu)?\s*", re.IGNORECASE)
"""What stands within a name: "João da Silva"."""

F32 = NDArray[np.float32]


class People:
    """The model, loaded."""

    model = "rampart"

    def __init__(self, folder: Path) -> None:
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # others work beside
        self._session = onnxruntime.InferenceSession(folder / "model_q4.onnx", options)

    def find(self, texts: Sequence[str]) -> Iterator[list[Named]]:
        """The names in each text, sentence by sentence: in long ones it overlooks some."""
        for text in texts:
            cut = [*(m.start() for m in _SENTENCE.finditer(text)), len(text)]
            parts = [(start, text[start:end]) for start, end in pairwise(cut)]
            named = [(at, part) for at, part in parts if any(map(str.isupper, part))]
            likely = self._likely([part for _, part in named])
            yield [
                Named(name.text, name.kind, at + name.start, at + name.end)
                for (at, part), shares in zip(named, likely, strict=True)
                for run in _runs(part)
                for name in _named_in(run, shares, part)
            ]

    def _likely(self, parts: Sequence[str]) -> list[F32]:
        """How likely each character is part of a person's name and of a place's, ``[n, 2]``."""
        tokens = self._tokenizer.encode_batch(list(parts), add_special_tokens=False)
        found = [np.zeros((len(part), 2), np.float32) for part in parts]
        windows = [
            (number, start)
            for number, each in enumerate(tokens)
            for start in range(0, max(1, len(each.ids) - OVERLAP), WINDOW - OVERLAP)
        ]
        for first in range(0, len(windows), TOGETHER):
            some = windows[first : first + TOGETHER]
            shown = [tokens[number].ids[start : start + WINDOW] for number, start in some]
            for (number, start), rows in zip(some, self._run(shown), strict=True):
                places = tokens[number].offsets[start : start + WINDOW]
                for row, (begin, end) in zip(rows, places, strict=True):
                    found[number][begin:end] = np.maximum(found[number][begin:end], row)
        return found

    def _run(self, windows: Sequence[Sequence[int]]) -> list[F32]:
        begin, end, pad = (self._tokenizer.token_to_id(t) for t in ("[CLS]", "[SEP]", "[PAD]"))
        longest = max(map(len, windows)) + 2
        ids = np.full((len(windows), longest), pad, np.int64)
        for row, window in enumerate(windows):
            ids[row, : len(window) + 2] = np.array([begin, *window, end], np.int64)
        mask = (np.arange(longest) < np.array([[len(w) + 2] for w in windows])).astype(np.int64)
        fed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        (logits,) = self._session.run(None, fed)
        powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
        shares = powers / powers.sum(axis=-1, keepdims=True)
        kinds = np.stack([shares[..., kind].sum(axis=-1) for kind in (_PERSON, _PLACE)], axis=-1)
        return [kinds[row, 1 : len(window) + 1] for row, window in enumerate(windows)]


def _runs(part: str) -> list[list[re.Match[str]]]:
    """Words that may be one name, because only what stands within names is between them."""
    runs: list[list[re.Match[str]]] = []
    for word in _WORD.finditer(part):
        if not (word[0][0].isupper() or word[0].isdigit()):
            continue
        if runs and _BETWEEN.fullmatch(part, runs[-1][-1].end(), word.start()):
            runs[-1].append(word)
        else:
            runs.append([word])
    return runs


def _named_in(run: Sequence[re.Match[str]], likely: F32, part: str) -> Iterator[Named]:
    """The names in a run: words that are likely ones, with those beside them that may be."""
    shares = np.array([likely[word.start() : word.end()].max(axis=0) for word in run])
    sure = shares.max(axis=1) >= LIKELY
    sure &= [not word[0].isdigit() for word in run]  # a number alone is no place
    best = shares.argmax(axis=1)
    for kind, name in enumerate(("person", "place")):
        mine = sure & (best == kind)
        maybe = mine | ((shares[:, kind] >= LIKELY_BESIDE) & ~sure)
        for beside, group in groupby(range(len(run)), maybe.__getitem__):
            places = list(group)
            if beside and mine[places].any():
                start, end = run[places[0]].start(), run[places[-1]].end()
                yield Named(part[start:end], name, start, end)
