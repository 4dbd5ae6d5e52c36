"""Transcripts: what was said, when, how surely. Pure data; times are float seconds everywhere."""

from auricle.transcript.model import Segment, Word
from auricle.transcript.transcript import Transcript

__all__ = ["Segment", "Transcript", "Word"]
