"""One live session beside WhisperLiveKit's, with the same weights: how far behind is each?

WhisperLiveKit wants PyTorch, so it lives in an environment of its own:
``python -m bench.live_peer PATH/TO/whisperlivekit-server`` (docs/experiments.md says how it was
installed).
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import numpy as np
from websockets.sync.client import connect

from auricle.media import SAMPLE_RATE, MediaPool
from bench.clips import serving
from bench.corpus import MODEL, SPEECH, Samples, report
from bench.live import send
from processes import START_S, eventually, free_port

RECORDING = "longform/address.mp3"
SECONDS = 40
LOOK_S = 1.0
"""Seconds of new sound after which the peer decodes again; by default it does so all the time, and
is slower still."""


def main(peer: str) -> None:
    """Stream the same sound to both, one after the other; the last line is JSON."""
    with MediaPool() as media, (SPEECH / RECORDING).open("rb") as file:
        sound = np.concatenate(list(media.decode(file, RECORDING, max_seconds=1e6)))
    sound = sound[: SECONDS * SAMPLE_RATE]
    with serving() as server:
        url = server.url.replace("http", "ws", 1) + "/v1/stream?language=en&token=" + server.key
        ours = _behind(url, sound)
    with _peer(peer) as url:
        theirs = _behind(url, sound)
    report("live_peer", seconds=SECONDS, behind_s=round(ours, 2), peer_behind_s=round(theirs, 2))


@contextmanager
def _peer(command: str) -> Iterator[str]:
    port = free_port()
    options = {
        "--model_dir": MODEL,
        "--model": "base",
        "--backend": "faster-whisper",
        "--backend-policy": "localagreement",
        "--lan": "en",
        "--min-chunk-size": LOOK_S,
        "--host": "127.0.0.1",
        "--port": port,
    }
    words = [str(word) for option in options.items() for word in option]
    with subprocess.Popen([command, "--pcm-input", *words], stderr=subprocess.DEVNULL) as process:
        try:
            eventually(lambda: _listens(port), "the peer to be ready", START_S)
            yield f"ws://127.0.0.1:{port}/asr"
        finally:
            process.terminate()


def _listens(port: int) -> bool:
    with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


def _behind(url: str, sound: Samples) -> float:
    """Seconds from the end of the sound to the end of the answer."""
    with connect(url, max_size=None, ping_timeout=None) as peer:
        began = time.monotonic()
        sending = threading.Thread(target=send, args=(peer, sound, began))
        sending.start()
        for found in peer:
            message = json.loads(found)
            if message.get("final") or message.get("type") == "ready_to_stop":
                break
        sending.join()
        return time.monotonic() - began - len(sound) / SAMPLE_RATE


if __name__ == "__main__":
    main(sys.argv[1])
