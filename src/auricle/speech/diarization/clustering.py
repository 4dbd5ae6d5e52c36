"""Whose voices are the same: agglomerative clustering of voice prints.

Average linkage over cosine distances. Memory is bounded: of many prints, neighbours are joined
first, where they are very alike, and what comes of that is clustered for the whole recording.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage

from auricle.speech.diarization.networks import unit
from auricle.speech.diarization.protocol import MOST_SPEAKERS

SAME = 0.5
"""Cosine distance up to which two groups of prints are the same voice."""

KNOWN = 0.5
"""Likeness (cosine) from which a voice is one that was enrolled."""

DIFFERENT = 0.6
"""Distance from which parts of what the segmentation takes for one voice are several."""

SURE = 0.25
"""Distance under which neighbours are joined before the rest is looked at."""

MOST_AT_ONCE = 1_500
"""Prints that are compared each with each."""

SMALLEST_SHARE = 0.005
"""Of all that was heard; who speaks less is taken for noise, unless we are told how many speak."""

F32 = NDArray[np.float32]
Labels = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Prints:
    """Voice prints and how much they rest on."""

    vectors: F32
    """``[prints, 192]``, of unit length."""
    seconds: F32
    """``[prints]``: of that voice's speech."""

    def __len__(self) -> int:
        return len(self.seconds)


def speakers_in(prints: Prints, wanted: int = 0) -> F32:
    """The voices of a recording, ``[speakers, 192]``; ``wanted`` is how many, 0 finds it out.

    There may be fewer than wanted: what is alike is one voice all the same.
    """
    if not len(prints):
        return prints.vectors
    while len(prints) > MOST_AT_ONCE:
        joined = _joined(prints)
        if len(joined) > 0.9 * len(prints):  # nobody is like anybody: the longest ones decide
            order = np.argsort(-joined.seconds, kind="stable")[:MOST_AT_ONCE]
            joined = Prints(joined.vectors[order], joined.seconds[order])
        prints = joined
    groups = _merged(prints, _labels(prints, wanted))
    if not wanted:
        enough = groups.seconds >= SMALLEST_SHARE * groups.seconds.sum()
        groups = Prints(groups.vectors[enough], groups.seconds[enough])
    order = np.argsort(-groups.seconds, kind="stable")[: wanted or MOST_SPEAKERS]
    return groups.vectors[order]


def alike(vectors: F32) -> Labels:
    """Groups, from 1, of prints that are surely of different voices, or of one."""
    tree = linkage(vectors, "average", metric="cosine")
    return np.asarray(fcluster(tree, DIFFERENT, "distance"), np.int64)


def _labels(prints: Prints, wanted: int) -> Labels:
    """A group's number for each print."""
    if len(prints) == 1:
        return np.ones(1, np.int64)
    tree = linkage(prints.vectors, "average", metric="cosine")
    labels = fcluster(tree, SAME, "distance")
    if wanted and labels.max() > wanted:
        labels = fcluster(tree, wanted, "maxclust")
    return np.asarray(labels, np.int64)


def _joined(prints: Prints) -> Prints:
    """Fewer prints: those of the same part of the recording that are surely one voice, as one."""
    parts = []
    for first in range(0, len(prints), MOST_AT_ONCE // 2):
        part = slice(first, first + MOST_AT_ONCE // 2)
        some = Prints(prints.vectors[part], prints.seconds[part])
        tree = linkage(some.vectors, "average", metric="cosine") if len(some) > 1 else None
        labels = np.ones(1) if tree is None else fcluster(tree, SURE, "distance")
        parts.append(_merged(some, np.asarray(labels, np.int64)))
    return Prints(
        np.concatenate([part.vectors for part in parts]),
        np.concatenate([part.seconds for part in parts]),
    )


def _merged(prints: Prints, labels: Labels) -> Prints:
    """One print for each group: the mean by seconds."""
    rows = labels - 1
    seconds = np.bincount(rows, prints.seconds).astype(np.float32)
    sums = np.zeros((len(seconds), prints.vectors.shape[1]), np.float32)
    np.add.at(sums, rows, prints.vectors * prints.seconds[:, None])
    return Prints(unit(sums), seconds)
