"""Pipecat's Cartesia services, unmodified: python pipecat_client.py URL KEY KIND FILE, the kind
being ``manual`` or ``turns``, the file 16-bit samples of 16 kHz. Prints the texts of its frames as
JSON."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from pipecat.frames.frames import (
    EndFrame,
    Frame,
    InputAudioRawFrame,
    InterimTranscriptionFrame,
    TranscriptionFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.runner import PipelineRunner
from pipecat.pipeline.task import PipelineParams, PipelineTask
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.services.cartesia.stt import CartesiaSTTService
from pipecat.services.cartesia.turns.stt import CartesiaTurnsSTTService

FRAME = 1600


class Collector(FrameProcessor):
    """Notes what was heard."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, list[str]] = {"final": [], "interim": []}

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, TranscriptionFrame):
            self.found["final"].append(frame.text)
        elif isinstance(frame, InterimTranscriptionFrame):
            self.found["interim"].append(frame.text)
        await self.push_frame(frame, direction)


async def main(url: str, key: str, kind: str, file: str) -> None:
    """Stream the file as fast as somebody speaks, and a second of silence after it."""
    samples = Path(file).read_bytes() + bytes(2 * 16_000)
    base = url.replace("http", "ws", 1)
    service = (
        CartesiaSTTService(api_key=key, base_url=base, sample_rate=16_000)
        if kind == "manual"
        else CartesiaTurnsSTTService(
            api_key=key, url=f"{base}/stt/turns/websocket", sample_rate=16_000
        )
    )
    collector = Collector()
    task = PipelineTask(
        Pipeline([service, collector]), params=PipelineParams(audio_in_sample_rate=16_000)
    )

    async def send() -> None:
        for at in range(0, len(samples), 2 * FRAME):
            part = samples[at : at + 2 * FRAME]
            await task.queue_frame(InputAudioRawFrame(part, 16_000, 1))
            await asyncio.sleep(FRAME / 16_000)
        await task.queue_frame(VADUserStoppedSpeakingFrame())
        for _ in range(10):  # for the text, however busy the machine is
            heard = len(collector.found["final"])
            await asyncio.sleep(3)
            if heard and heard == len(collector.found["final"]):
                break
        await task.queue_frame(EndFrame())

    await asyncio.gather(PipelineRunner(handle_sigint=False).run(task), send())
    print(json.dumps(collector.found))


asyncio.run(main(*sys.argv[1:]))
