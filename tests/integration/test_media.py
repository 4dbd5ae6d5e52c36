"""Recordings through the jail: real FFmpeg, real processes, hostile input."""

from __future__ import annotations

import io
import os
import random
import resource
import signal
import socket
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import psutil
import pytest

from auricle.core.errors import BadMedia, TooLarge
from auricle.media import SAMPLE_RATE, MediaPool
from auricle.media import jail as jail_module
from sounds import encode, tone, wav

TONE = tone(2.0)


def decode(media: MediaPool, folder: Path, content: bytes, name: str = "x", **options: float):  # type: ignore[no-untyped-def]
    path = folder / "recording"
    path.write_bytes(content)
    with path.open("rb") as file:
        limit = options.get("max_seconds", 3600.0)
        return np.concatenate(list(media.decode(file, name, max_seconds=limit)))


def probe(media: MediaPool, folder: Path, content: bytes, name: str = "x"):  # type: ignore[no-untyped-def]
    path = folder / "recording"
    path.write_bytes(content)
    with path.open("rb") as file:
        return media.probe(file, name)


def jailer_of(pool: MediaPool) -> psutil.Process:
    assert pool._process is not None
    return psutil.Process(pool._process.pid)


def pitch(samples: np.ndarray) -> float:
    """The strongest frequency."""
    spectrum = np.abs(np.fft.rfft(samples))
    return float(np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE)[spectrum.argmax()])


@pytest.mark.parametrize(
    ("container", "codec", "rate"),
    [
        ("mp3", "mp3", 44_100), ("wav", "pcm_s16le", 44_100), ("wav", "pcm_mulaw", 8_000),
        ("wav", "pcm_alaw", 8_000), ("wav", "adpcm_ms", 22_050), ("flac", "flac", 48_000),
        ("ogg", "libopus", 48_000), ("webm", "libopus", 48_000),
        ("mp4", "aac", 44_100), ("mov", "pcm_s16le", 44_100), ("ipod", "alac", 44_100),
        ("adts", "aac", 44_100), ("matroska", "ac3", 48_000), ("avi", "mp3", 44_100),
        ("asf", "wmav2", 44_100), ("mpegts", "aac", 44_100), ("mpeg", "mp2", 44_100),
        ("flv", "mp3", 44_100), ("3gp", "aac", 44_100), ("aiff", "pcm_s16be", 44_100),
        ("caf", "pcm_s16be", 44_100), ("au", "pcm_s16be", 44_100), ("w64", "pcm_s24le", 96_000),
    ],
)  # fmt: skip
def test_formats_are_read_by_their_content(
    media: MediaPool, tmp_path: Path, container: str, codec: str, rate: int
) -> None:
    content = encode(TONE, container, codec, rate)
    samples = decode(media, tmp_path, content, "misnamed.txt")
    assert len(samples) / SAMPLE_RATE == pytest.approx(2.0, abs=0.15)
    assert pitch(samples) == pytest.approx(440, abs=3)
    assert probe(media, tmp_path, content).duration == pytest.approx(2.0, abs=0.3)


@pytest.mark.parametrize("seconds", [2.0, 0.1])
def test_the_first_track_with_sound_is_taken(
    media: MediaPool, tmp_path: Path, seconds: float
) -> None:
    part = TONE[: round(len(TONE) * seconds / 2)]
    content = encode(part, "mp4", "aac", 48_000, tracks=3)
    assert pitch(decode(media, tmp_path, content)) == pytest.approx(440, abs=3)


@pytest.mark.parametrize(
    "channels",
    [(TONE, -TONE), (0 * TONE, TONE), (TONE, 0 * TONE), (0 * TONE,) * 5 + (TONE,)],
    ids=["opposed", "left silent", "right silent", "six channels"],
)
def test_no_channel_silences_the_others(
    media: MediaPool, tmp_path: Path, channels: tuple[np.ndarray, ...]
) -> None:
    samples = decode(media, tmp_path, wav(*channels))
    assert np.sqrt((samples**2).mean()) == pytest.approx(0.3 / np.sqrt(2), rel=0.05)


NOT_RECORDINGS = {
    "empty": b"",
    "text": b"this is not audio " * 100,
    "html": b"<!doctype html><html><body>a video page</body></html>" * 20,
    "random": random.Random(7).randbytes(20_000),
    "zeros": bytes(20_000),
    "png": b"\x89PNG\r\n\x1a\n" + bytes(1000),
    "mp4 without its index": encode(TONE, "mp4", "aac", 44_100)[:-3000],
    "wav without samples": wav(TONE)[:44],
    "pdf": b"%PDF-1.7\n" + b"0 0 obj\n" * 500,
}


@pytest.mark.parametrize("content", NOT_RECORDINGS.values(), ids=NOT_RECORDINGS.keys())
def test_what_is_no_recording_is_said_to_be_none(
    media: MediaPool, tmp_path: Path, content: bytes
) -> None:
    with pytest.raises(BadMedia):
        probe(media, tmp_path, content, "talk.mp3")
    with pytest.raises(BadMedia):
        decode(media, tmp_path, content, "talk.mp3")


def test_a_truncated_recording_gives_what_there_is(media: MediaPool, tmp_path: Path) -> None:
    content = encode(TONE, "mp3", "mp3", 44_100)
    samples = decode(media, tmp_path, content[: len(content) // 2])
    assert 0.5 < len(samples) / SAMPLE_RATE < 1.6


def test_flipped_bits_never_give_wild_samples(media: MediaPool, tmp_path: Path) -> None:
    content = bytearray(encode(TONE, "mp3", "mp3", 44_100))
    dice = random.Random(3)
    for _ in range(200):
        content[dice.randrange(len(content))] ^= 1 << dice.randrange(8)
    samples = decode(media, tmp_path, bytes(content))
    assert np.isfinite(samples).all()
    assert np.abs(samples).max() <= 1


def test_a_small_file_with_hours_of_audio_is_stopped(media: MediaPool, tmp_path: Path) -> None:
    """A 25 MB Opus file can hold nine hours: the cap counts decoded seconds."""
    content = encode(np.zeros(150 * SAMPLE_RATE, np.float32), "ogg", "libopus", 48_000)
    assert len(content) < 100_000
    with pytest.raises(TooLarge, match="Split it"):
        decode(media, tmp_path, content, max_seconds=60)


def webm(packets: list[bytes], milliseconds: list[int]) -> bytes:
    """A WebM file of Opus packets at the given times."""
    output = io.BytesIO()
    with av.open(output, "w", format="webm") as file:
        stream = file.add_stream("libopus", rate=48_000)
        stream.layout = "mono"
        stream.codec_context.open()
        for content, time_ms in zip(packets, milliseconds, strict=True):
            packet = av.Packet(content)
            packet.stream = stream
            packet.time_base = Fraction(1, 1000)
            packet.pts = packet.dts = time_ms
            file.mux(packet)
    return output.getvalue()


def opus_packets(samples: np.ndarray) -> list[bytes]:
    """Packets of 20 ms."""
    with av.open(io.BytesIO(encode(samples, "webm", "libopus", 48_000)), "r") as source:
        return [bytes(packet) for packet in source.demux() if packet.size]


def test_silence_that_was_not_sent_is_put_back(media: MediaPool, tmp_path: Path) -> None:
    """Recorders that stop sending in silence must not shift all that follows."""
    packets = opus_packets(TONE)
    times = [n * 20 for n in range(len(packets))]
    content = webm(packets * 2, times + [time + 3000 + 20 * len(packets) for time in times])
    samples = decode(media, tmp_path, content)
    loud = np.flatnonzero(np.abs(samples) > 0.1) / SAMPLE_RATE
    assert loud.max() == pytest.approx(7.0, abs=0.2)
    assert not ((loud > 2.3) & (loud < 4.7)).any()
    assert loud[loud < 3].max() == pytest.approx(2.0, abs=0.05)


def test_lost_packets_do_not_shift_what_follows(media: MediaPool, tmp_path: Path) -> None:
    """A tenth of a second that is lost each second."""
    packets = opus_packets(np.tile(TONE, 5))
    kept = [n for n in range(len(packets)) if n % 50 < 45]
    content = webm([packets[n] for n in kept], [n * 20 for n in kept])
    samples = decode(media, tmp_path, content)
    assert len(samples) / SAMPLE_RATE == pytest.approx(len(packets) / 50, abs=0.3)


HOSTILE = {
    "m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{url}\n#EXT-X-ENDLIST\n",
    "ffconcat": "ffconcat version 1.0\nfile '{url}'\n",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
    "m=audio {port} RTP/AVP 0\n",
    "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period>'
    "<BaseURL>{url}</BaseURL></Period></MPD>",
    "imf": '<?xml version="1.0"?><AssetMap><Path>{url}</Path></AssetMap>',
}


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("scheme", ["http", "file", "concat"])
def test_playlists_open_no_socket_and_no_file(
    media: MediaPool, tmp_path: Path, kind: str, scheme: str
) -> None:
    secret = tmp_path / "secret.wav"
    secret.write_bytes(wav(TONE))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.2)
        port = listener.getsockname()[1]
        url = {"http": f"http://127.0.0.1:{port}/x.wav", "file": f"file://{secret}",
               "concat": f"concat:{secret}|{secret}"}[scheme]  # fmt: skip
        content = HOSTILE[kind].format(url=url, port=port).encode()
        with pytest.raises(BadMedia):
            decode(media, tmp_path, content, f"list.{kind}")
        with pytest.raises(TimeoutError):
            listener.accept()


def test_a_playlist_inside_an_avi_opens_nothing(media: MediaPool, tmp_path: Path) -> None:
    """FFmpeg once read local files through a subtitle stream that was an HLS playlist."""
    secret = tmp_path / "secret.wav"
    secret.write_bytes(wav(TONE))
    playlist = f"#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:1,\nfile://{secret}\n#EXT-X-ENDLIST\n"
    gab2 = b"GAB2\x00\x02\x00" + b"\x00" * 4 + b"\x00\x00\x04\x00" + playlist.encode()
    content = encode(TONE, "avi", "mp3", 44_100)
    with_playlist = content.replace(
        b"idx1", b"01sb" + len(gab2).to_bytes(4, "little") + gab2 + b"idx1"
    )
    samples = decode(media, tmp_path, with_playlist)
    assert len(samples) / SAMPLE_RATE == pytest.approx(2.0, abs=0.2)


def test_a_child_in_the_jail_can_open_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What exploit code would try first, done where the decoder runs."""
    ours, theirs = socket.socketpair()
    with Path(os.devnull).open("rb") as recording:
        pid = os.fork()
        if pid == 0:

            def attack(*_: object) -> None:
                results = []
                for attempt in (
                    lambda: Path("/etc/passwd").read_text(),
                    socket.socket,
                    os.pipe,
                    lambda: bytearray(8 << 30),
                    lambda: os.dup(0),
                ):
                    try:
                        attempt()
                        results.append("opened")
                    except (OSError, MemoryError):
                        results.append("refused")
                os.write(4, ",".join(results).encode())

            monkeypatch.setattr(jail_module, "_serve", attack)
            request = jail_module.Request("probe", cpu_seconds=30)
            jail_module._child(request, recording.fileno(), theirs.fileno(), True)
        theirs.close()
        assert ours.recv(1000).decode() == "refused,refused,refused,refused,refused"
        os.waitpid(pid, 0)
        ours.close()


def test_a_decoder_that_is_killed_is_an_error_and_the_next_works(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    path.write_bytes(wav(np.tile(TONE, 120)))
    with MediaPool() as pool, path.open("rb") as file:
        blocks = pool.decode(file, max_seconds=3600)
        next(blocks)
        jailer = jailer_of(pool)
        for child in jailer.children():
            child.send_signal(signal.SIGKILL)
        with pytest.raises(BadMedia, match="within the limits"):
            list(blocks)
        assert pool.probe(file).duration == pytest.approx(240, abs=1)
        jailer.kill()
        jailer.wait()
        time.sleep(0.1)
        assert pool.probe(file).duration == pytest.approx(240, abs=1)


def test_processor_time_is_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "long.wav"
    path.write_bytes(wav(np.zeros(3600 * 8_000, np.float32), rate=8_000))
    monkeypatch.setattr("auricle.media.pool.DECODE_CPU_SECONDS", 1)
    with MediaPool() as pool, path.open("rb") as file:
        blocks = pool.decode(file, max_seconds=1e6)
        with pytest.raises(BadMedia, match="within the limits"):
            list(blocks)


def test_readers_that_wait_do_not_hold_up_others(tmp_path: Path) -> None:
    """Two long recordings once kept every short one waiting."""
    path = tmp_path / "long.wav"
    path.write_bytes(wav(np.tile(TONE, 60)))
    with MediaPool() as pool, path.open("rb") as file:
        waiting = [pool.decode(file, max_seconds=3600) for _ in range(8)]
        for blocks in waiting:
            next(blocks)
        assert pool.probe(file).duration == pytest.approx(120, abs=1)
        for blocks in waiting:
            blocks.close()


@pytest.mark.parametrize("count", [8, 12])
def test_many_channels_are_mixed_too(media: MediaPool, tmp_path: Path, count: int) -> None:
    """PyAV 18.1 crashes on planar frames of eight channels and more."""
    samples = decode(media, tmp_path, wav(*[TONE] * count))
    assert pitch(samples) == pytest.approx(440, abs=3)


def test_tags_in_an_old_encoding_do_not_matter(media: MediaPool, tmp_path: Path) -> None:
    tag = b"LIST" + (20).to_bytes(4, "little") + b"INFOINAM" + (8).to_bytes(4, "little")
    content = bytearray(wav(TONE) + tag + b"Caf\xe9 x\x00\x00")
    content[4:8] = (len(content) - 8).to_bytes(4, "little")
    assert len(decode(media, tmp_path, bytes(content))) == 2 * SAMPLE_RATE


def test_a_reader_that_stops_early_leaves_no_child_behind(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    path.write_bytes(wav(np.tile(TONE, 300)))
    with MediaPool() as pool, path.open("rb") as file:
        for _ in range(5):
            blocks = pool.decode(file, max_seconds=3600)
            next(blocks)
            blocks.close()
        jailer = jailer_of(pool)
        deadline = time.monotonic() + 10
        while jailer.children() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert jailer.children() == []


def test_memory_does_not_grow_with_duration(tmp_path: Path, media: MediaPool) -> None:
    path = tmp_path / "hour.wav"
    path.write_bytes(wav(np.zeros(3600 * 8_000, np.float32), rate=8_000))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds = 0.0
    with path.open("rb") as file:
        for block in media.decode(file, max_seconds=1e6):
            seconds += len(block) / SAMPLE_RATE
    assert seconds == pytest.approx(3600, abs=1)
    grown_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown_mb < 50  # an hour of float32 samples is 230 MB
