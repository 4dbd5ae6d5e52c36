"""`make demo`: a real recording, through a real server, to a transcript on the screen."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from recordings import two_cities

BOUNDARY = "auricle-demo"


@contextmanager
def server() -> Iterator[tuple[str, str]]:
    """A server on a free port; yields its address and its owner's key."""
    command = [str(Path(sys.executable).parent / "auricle"), "serve", "--port", "0"]
    data = tempfile.TemporaryDirectory()  # of its own: `make serve` may be using the other one
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"AURICLE_DATA": data.name},
    )
    assert process.stdout is not None
    key = ""
    try:
        for line in process.stdout:
            if shown := re.search(r"shown only now: (\S+)", line):
                key = shown[1]
            if found := re.search(r"ready at (http://\S+)", line):
                yield found[1], key
                break
        else:
            raise SystemExit("the server did not start; 'auricle doctor' says more")
    finally:
        process.terminate()
        process.wait(20)
        data.cleanup()


def transcribe(address: str, key: str, recording: Path) -> dict[str, Any]:
    """POST /v1/transcribe with nothing but the standard library."""
    head = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="two_cities.wav"'
        f"\r\nContent-Type: audio/wav\r\n\r\n"
    )
    request = urllib.request.Request(  # noqa: S310
        f"{address}/v1/transcribe",
        head.encode() + recording.read_bytes() + f"\r\n--{BOUNDARY}--\r\n".encode(),
        {
            "Authorization": f"Bearer {key}",
            "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
        },
    )
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(request) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


def main() -> None:
    """Run the demo."""
    recording = two_cities()
    with server() as (address, key):
        print(f"auricle serve is ready at {address}")
        print(f"POST {address}/v1/transcribe  file=@{recording.name}\n")
        started = time.monotonic()
        transcript = transcribe(address, key, recording)
        seconds = time.monotonic() - started
    for segment in transcript["segments"]:
        print(f"[{segment['start']:6.2f} -> {segment['end']:6.2f}]  {segment['text']}")
    words = sum(len(segment["words"]) for segment in transcript["segments"])
    print(
        f"\n{words} words in {transcript['language']!r} by model {transcript['model']!r}: "
        f"{transcript['duration']:.1f} s of speech in {seconds:.1f} s, "
        f"{transcript['duration'] / seconds:.1f} times faster than real time"
    )


if __name__ == "__main__":
    main()
