"""Recordings: any file that FFmpeg reads, to mono float32 at 16 kHz, in bounded memory.

Untrusted bytes are only ever parsed in jailed child processes: :class:`MediaPool` is the way in.
"""

from auricle.media.info import ENCODINGS, SAMPLE_RATE, MediaInfo, RawAudio
from auricle.media.pool import MediaPool

__all__ = ["ENCODINGS", "SAMPLE_RATE", "MediaInfo", "MediaPool", "RawAudio"]
