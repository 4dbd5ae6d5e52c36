"""Recordings behind addresses that users name, streamed to where the caller wants them.

An address of a media file is downloaded as it is (``direct``). One of a page of a video platform
is read by yt-dlp in a process of its own that can reach nothing (``pages``, ``pages_jail``,
``jail``): every connection is asked of this side, which makes it if the address guard agrees.
"""

from auricle.fetch.fetcher import EXTRACTORS, Fetcher
from auricle.fetch.transfer import Limits, Sink

__all__ = ["EXTRACTORS", "Fetcher", "Limits", "Sink"]
