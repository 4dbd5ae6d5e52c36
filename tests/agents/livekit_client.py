"""LiveKit's Cartesia plugin, unmodified: python livekit_client.py URL KEY MODEL FILE, the file
being 16-bit samples of 16 kHz. Prints the texts of its events as JSON."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import aiohttp
from livekit import rtc
from livekit.agents import stt
from livekit.plugins import cartesia

FRAME = 1600


async def main(url: str, key: str, model: str, file: str) -> None:
    """Stream the file as fast as somebody speaks, and a second of silence after it."""
    samples = Path(file).read_bytes() + bytes(2 * 16_000)
    found: dict[str, list[str]] = {"final": [], "interim": [], "events": []}
    async with aiohttp.ClientSession() as http:
        service = cartesia.STT(
            model=model, language="en", api_key=key, base_url=url, http_session=http
        )
        stream = service.stream()

        async def send() -> None:
            for at in range(0, len(samples), 2 * FRAME):
                part = samples[at : at + 2 * FRAME]
                stream.push_frame(rtc.AudioFrame(part, 16_000, 1, len(part) // 2))
                await asyncio.sleep(FRAME / 16_000)
            stream.end_input()

        sending = asyncio.create_task(send())
        async for event in stream:
            found["events"].append(event.type.value)
            texts = [alternative.text for alternative in event.alternatives]
            if event.type is stt.SpeechEventType.FINAL_TRANSCRIPT:
                found["final"] += texts
            elif event.type is stt.SpeechEventType.INTERIM_TRANSCRIPT:
                found["interim"] += texts
        await sending
        await stream.aclose()
    print(json.dumps(found))


asyncio.run(main(*sys.argv[1:]))
