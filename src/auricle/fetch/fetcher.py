"""What the rest of Auricle asks for recordings."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

from auricle.core.errors import AddressRefused, AuricleError, BadMedia
from auricle.egress import Guard, client
from auricle.fetch.direct import Download, WebPage
from auricle.fetch.pages import NoPlatform, Page
from auricle.fetch.transfer import Limits, Sink, Watch

EXTRACTORS = (
    *("youtube", "tiktok", "instagram", "facebook", "twitter", "vimeo", "dailymotion", "bilibili"),
    *("twitch:vod", "soundcloud", "reddit", "tedtalk"),
    *("3sat", "9gag", "abcnews", "abcnews:video", "acast", "acfunvideo", "apple:podcasts"),
    *("archive.org", "ardaudiothek", "ardmediathek", "artetv", "audioboom", "bandcamp", "bbc"),
    *("bbc.co.uk", "bilibiliaudio", "biliintl", "bitchute", "bluesky", "br", "cbc.ca"),
    *("cbc.ca:player", "cnn", "coub", "cspan", "dlf", "dropbox", "europarlwebstream"),
    *("facebook:reel", "franceculture", "francetv", "francetv:site", "funk", "googledrive"),
    *("iheartradio", "imgur", "kick:clip", "kick:vod", "lbry", "likee", "linkedin", "loom", "mdr"),
    *("mixcloud", "nbcnews", "ndr", "niconico", "npr", "nrk", "nrktv", "odnoklassniki", "orf:on"),
    *("orf:podcast", "orf:radio", "phoenix.de", "pinterest", "podchaser", "radio.de"),
    *("radiofrance", "raiplay", "raiplaysound", "rumble", "rumbleembed", "rutube"),
    *("snapchatspotlight", "spreaker", "srgssr", "srgssrplay", "streamable", "svt:page"),
    *("svt:play", "tumblr", "twitch:clips", "twitter:broadcast", "twitter:shortener"),
    *("twitter:spaces", "vk", "vm.tiktok", "wdr", "wdrpage", "weibo", "weibovideo", "wistia"),
    *("xiaohongshu", "yleareena", "youku", "youtube:clip", "youtube:tab", "youtubeytbe", "zdf"),
)
"""yt-dlp's names of extractors for well-known platforms, the best known first.

``lbry`` is Odysee. ``youtube:tab`` takes addresses of one video that stands in a list.
"""

_LIMITS = Limits()

_LONGEST = 8000
"""Characters of a URL."""

_NAMED = 12
"""Platforms that an error message lists."""


class Fetcher:
    """Fetches recordings; threads may share it."""

    def __init__(
        self,
        allow_hosts: Collection[str] = (),
        extractors: Collection[str] = EXTRACTORS,
        limits: Limits = _LIMITS,
    ) -> None:
        self._guard = Guard(allow_hosts)
        self._client = client(self._guard)
        self._extractors = tuple(extractors)
        self._limits = limits

    def fetch(
        self,
        url: str,
        sink: Sink,
        *,
        max_bytes: int,
        folder: Path,
        told: Callable[[int, int | None], None],
    ) -> str:
        """Write a recording to the sink and return its file name or title, for people.

        ``folder`` takes a page's download meanwhile. ``told(done, all_or_none)`` is called about
        once a second, in bytes; what it raises ends everything.

        Raises :class:`AddressRefused`, :class:`Unreachable`, :class:`TooLarge`, :class:`BadMedia`,
        :class:`Unavailable`, and what ``sink`` and ``told`` raise.
        """
        if len(url) > _LONGEST:
            raise AddressRefused(f"Give a URL of at most {_LONGEST} characters.")
        watch = Watch(self._limits, told)
        try:
            return Download(self._client, url, sink, max_bytes, watch).run()
        except WebPage as page:
            error = page.error or self._only_a_page()
        if not self._extractors:
            raise error
        try:
            return Page(self._guard, url, self._extractors, max_bytes, watch).fetch(sink, folder)
        except NoPlatform:
            raise error from None

    def _only_a_page(self) -> AuricleError:
        said = "The address leads to a web page, not to a recording. Give the address of the media"
        if not self._extractors:
            return BadMedia(f"{said} file itself.")
        names = list(dict.fromkeys(name.partition(":")[0] for name in self._extractors))
        *first, last = names if len(names) <= _NAMED else [*names[:_NAMED], "others"]
        platforms = " and ".join(filter(None, (", ".join(first), last)))
        return BadMedia(f"{said} file itself, or of a page of: {platforms}.")
