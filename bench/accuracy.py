"""Word error rate, overall and by language, beside faster-whisper on the same weights."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from bench.corpus import (
    NONE,
    Auricle,
    Errors,
    FasterWhisper,
    Item,
    bootstrap,
    compare,
    language,
    manifest,
    narrower,
    quieter,
    report,
    variant,
)

SETS = ("longform", "en_read", "noisy", "multilingual")
HARDER = {"quiet -45 dB": quieter, "telephone": narrower}
HARDER_ITEMS = 40
HEADLINE = ("longform", "en_read")


def _harder() -> Iterator[Item]:
    """English sentences made quiet, and cut down to what a telephone passes."""
    items = [item for item in manifest("en_read") if item["seconds"] > 3][::4][:HARDER_ITEMS]
    with tempfile.TemporaryDirectory() as folder:
        for name, change in HARDER.items():
            for item in items:
                yield variant(item, name, change, Path(folder))


def run() -> None:
    """Transcribe everything twice."""
    ours, theirs = Auricle(), FasterWhisper(word_times=False)
    groups: dict[str, list[tuple[Errors, Errors]]] = defaultdict(list)
    for item in chain(manifest(*SETS), _harder()):
        pair = compare(item, ours.text(item)), compare(item, theirs.text(item))
        groups[item["category"]].append(pair)
        if item["category"] == "multilingual":
            groups[f"  {language(item)}"].append(pair)
    print(f"{'':14} {'words':>6} {'WER':>7} {'deleted':>8} {'faster-whisper':>15} {'deleted':>8}")
    for name, pairs in sorted(groups.items(), key=lambda group: group[0].strip()):
        a, b = (sum(column, NONE) for column in zip(*pairs, strict=True))
        ours_row = f"{name:14} {a.words:6} {a.wer:7.2f} {a.deleted:8.2f}"
        print(f"{ours_row} {b.wer:15.2f} {b.deleted:8.2f}", flush=True)
    headline = [pair for name in HEADLINE for pair in groups[name]]
    a, b = (sum(column, NONE) for column in zip(*headline, strict=True))
    low, high = bootstrap([x for x, _ in headline], [y for _, y in headline])
    report(
        "accuracy",
        wer=round(a.wer, 2),
        wer_faster_whisper=round(b.wer, 2),
        difference_95=[round(low, 2), round(high, 2)],
        deleted=round(a.deleted, 2),
        deleted_faster_whisper=round(b.deleted, 2),
        words=a.words,
    )
