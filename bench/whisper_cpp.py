"""whisper.cpp, run by the Python of an environment that has ``pywhispercpp``.

``bench.speed_peers`` starts it; nothing of ours is imported. Each line of the input is a language
and the path of a WAV file (16 kHz, mono, 16 bits); for each, a line of JSON says what was heard.
"""

from __future__ import annotations

import json
import os
import sys
import wave


def main(model: str, threads: str) -> None:
    """Answer until the input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the library prints is no answer
    import numpy as np
    from pywhispercpp.model import Model

    beam = {"beam_size": 5, "patience": -1.0}
    whisper = Model(
        model,
        params_sampling_strategy=1,  # beam search
        n_threads=int(threads),
        beam_search=beam,
        token_timestamps=True,
        print_progress=False,
    )
    for line in sys.stdin:
        language, _, path = line.rstrip("\n").partition(" ")
        with wave.open(path) as file:
            read = file.readframes(file.getnframes())
        sound = np.frombuffer(read, "<i2").astype(np.float32) / 32768
        text = " ".join(part.text for part in whisper.transcribe(sound, language=language))
        print(json.dumps(text), file=answers, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
