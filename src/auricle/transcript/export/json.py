"""JSON: everything that a transcript holds, in Auricle's own names."""

from __future__ import annotations

import json

from auricle.transcript.transcript import Transcript


def to_json(transcript: Transcript) -> str:
    """Render as an indented JSON object; times are seconds."""
    return (
        json.dumps(
            {
                "text": transcript.text,
                "language": transcript.language,
                "language_probability": transcript.language_probability,
                "duration": transcript.duration,
                "model": transcript.model,
                "speakers": transcript.speakers,
                "segments": [
                    {
                        "start": segment.start,
                        "end": segment.end,
                        "text": segment.text,
                        "speaker": segment.speaker,
                        "confidence": round(segment.confidence, 4),
                        "words": [
                            {
                                "word": word.bare,
                                "start": word.start,
                                "end": word.end,
                                "probability": round(word.probability, 4),
                            }
                            for word in segment.words
                        ],
                    }
                    for segment in transcript.segments
                ],
            },
            ensure_ascii=False,
            indent=2,
        )
        + "\n"
    )
