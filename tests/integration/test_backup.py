"""The drill: an installation is lost, and comes back from its backup."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import psycopg
import pytest

from auricle.backups import archive, dump
from auricle.core.errors import BadRequest, Unavailable
from auricle.core.settings import Settings
from auricle.postgres import Cluster, address
from installation import Installation

UNBALANCED = (
    "SELECT count(*) FROM credits_wallet w WHERE balance <> "
    "(SELECT coalesce(sum(amount), 0) FROM credits_entry e WHERE e.account_id = w.account_id)"
)


@dataclass
class Backup:
    """What was saved, and what was there at the time."""

    file: Path
    key: str
    slug: str
    text: str
    credits: int
    secret: bytes
    blobs: dict[str, bytes]
    said: str


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory, recording: Path) -> Backup:
    """A backup of a running server, whose data folder is then destroyed."""
    folder = tmp_path_factory.mktemp("backup")
    lost, file = Installation(folder / "lost"), folder / "auricle.tar"
    texts: list[str] = []
    with lost.serving() as server:
        key = lost.run("keys", "create", "--email", "a@example.com", "--credits", "10").stdout
        with server.client(key.strip()) as api:
            api.patch("/api/v1/account/", json={"keep_audio_days": 1}).raise_for_status()
            sound = recording.read_bytes()
            for content in (sound, sound[: len(sound) // 2]):
                sent = api.post("/v1/transcribe", files={"file": content})
                sent.raise_for_status()
                texts.append(sent.json()["text"])
            newest, kept = api.get("/api/v1/transcripts/").json()["results"]
            balance = api.get("/api/v1/account/").json()["credits"]
        _vanish(lost, newest["id"])
        done = lost.run("backup", str(file))
        assert done.returncode == 0, done.stderr
    blobs = {blob.name: blob.read_bytes() for blob in (lost.data / "blobs").iterdir()}
    secret = (lost.data / "secret").read_bytes()
    shutil.rmtree(lost.data)
    return Backup(file, key.strip(), kept["slug"], texts[0], balance, secret, blobs, done.stdout)


def _vanish(here: Installation, transcript: int) -> None:
    """Delete a recording whose transcript still names it, as happens between dump and copy."""
    with _connected(here) as connection:
        query = "SELECT blob FROM library_transcript WHERE id = %s"
        row = connection.execute(query, [transcript]).fetchone()
    assert row is not None
    (here.data / "blobs" / row[0]).unlink()


def _connected(here: Installation) -> psycopg.Connection:
    found = address(here.data / "run")
    assert found is not None
    return psycopg.connect(found.url)


def test_what_was_lost_comes_back(saved: Backup, tmp_path: Path) -> None:
    new = Installation(tmp_path / "new")
    done = new.run("restore", str(saved.file))
    restored = datetime.now(UTC)
    assert done.returncode == 0, done.stderr
    assert "accounts: 2, transcripts: 2, recordings: 1, the secret" in done.stdout
    assert {blob.name: blob.read_bytes() for blob in (new.data / "blobs").iterdir()} == saved.blobs
    assert (new.data / "secret").read_bytes() == saved.secret
    assert (new.data / "secret").stat().st_mode & 0o777 == 0o600
    with new.serving() as server, server.client(saved.key) as api:
        assert server.key == "", "nobody needs a new owner"
        found = api.get("/api/v1/transcripts/", params={"search": saved.text.split()[0]}).json()
        assert saved.slug in [row["slug"] for row in found["results"]]
        assert api.get("/api/v1/account/").json()["credits"] == saved.credits
        [sound] = saved.blobs.values()
        another = api.post("/v1/transcribe", files={"file": sound[: len(sound) // 3]})
        assert another.status_code == 200, another.text
        assert saved.text.startswith(another.json()["text"])
        assert api.get("/api/v1/account/").json()["credits"] < saved.credits
        with _connected(new) as connection:
            assert connection.execute(UNBALANCED).fetchone() == (0,)
            since = connection.execute("SELECT min(started) FROM jobs_worker").fetchone()
            assert since is not None
            assert since[0] > restored, "it knows only its own workers"
        refused = new.run("restore", str(saved.file))
        assert (refused.returncode, "is in use" in refused.stderr) == (1, True)
        assert api.get("/api/v1/account/").status_code == 200


def test_a_backup_is_private_and_says_what_it_left_out(saved: Backup) -> None:
    assert saved.file.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in saved.file.parent.iterdir()] == [saved.file.name]
    assert "recordings: 1, the secret" in saved.said
    assert "deleted meanwhile: 1 recordings" in saved.said


def test_any_tar_can_open_a_backup_and_any_sha256sum_check_it(
    saved: Backup, tmp_path: Path
) -> None:
    with tarfile.open(saved.file) as tar:
        tar.extractall(tmp_path, filter="data")
    for line in (tmp_path / "SHA256SUMS").read_text().splitlines():
        found, name = line.split("  ")
        assert hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() == found
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert "accounts.0001_initial" in manifest["migrations"]
    assert manifest["postgresql"] == 18


def _contents(file: Path) -> dict[str, bytes]:
    with archive.reading(file) as found:
        names = [archive.MANIFEST, archive.DUMP, archive.SECRET]
        return {name: found.read(name) for name in [*names, *map("blobs/{}".format, found.blobs)]}


def test_a_flipped_byte_is_noticed_wherever_it_matters(saved: Backup, tmp_path: Path) -> None:
    sound, whole = _contents(saved.file), saved.file.read_bytes()
    damaged = tmp_path / "damaged.tar"
    chance = random.Random(7)
    noticed = 0
    places = [*range(0, 1024, 8), *(chance.randrange(len(whole)) for _ in range(60))]
    places += range(len(whole) - 11_000, len(whole), 40)
    for place in places:
        damaged.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        try:
            assert _contents(damaged) == sound, f"byte {place} went unnoticed"
        except BadRequest:
            noticed += 1
    assert noticed > 60


@pytest.mark.parametrize("share", [0.001, 0.3, 0.7, 0.999])
def test_an_archive_that_was_cut_off_is_noticed(
    saved: Backup, tmp_path: Path, share: float
) -> None:
    whole = saved.file.read_bytes()
    end = whole.rindex(b"SHA256SUMS") + 512
    cut = tmp_path / "cut.tar"
    cut.write_bytes(whole[: int(end * share)])
    with pytest.raises(BadRequest, match=r"incomplete|damaged|not a backup"):
        _contents(cut)


def _rewritten(source: Path, target: Path, change: Callable[[str, bytes], bytes]) -> Path:
    """An archive with other contents, whose sums hold."""
    with archive.writing(target) as writer:
        for name, content in _contents(source).items():
            writer.add_bytes(name, change(name, content))
    return target


def test_names_that_lead_elsewhere_are_refused(saved: Backup, tmp_path: Path) -> None:
    for name in ("blobs/../../secret", "/etc/passwd", "blobs/", "other", "manifest.json"):
        file = tmp_path / "bad.tar"
        with tarfile.open(file, "w") as tar:
            for each in ("manifest.json", name):
                tar.addfile(tarfile.TarInfo(each), BytesIO())
        with pytest.raises(BadRequest, match="no backup holds"), archive.reading(file):
            pass


WRONG = {
    "text": (lambda whole: b"hello " * 1000, "not a backup"),
    "nothing": (lambda whole: b"", "not a backup"),
    "damaged": (lambda whole: whole.replace(b"PGDMP", b"PGDMQ"), "is damaged, in database.dump"),
    "cut off": (lambda whole: whole[: len(whole) // 2], "incomplete"),
}


@pytest.mark.parametrize(("change", "words"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_file_is_refused_before_anything_is_touched(
    saved: Backup, tmp_path: Path, change: Callable[[bytes], bytes], words: str
) -> None:
    file = tmp_path / "wrong.tar"
    file.write_bytes(change(saved.file.read_bytes()))
    new = Installation(tmp_path / "new")
    done = new.run("restore", str(file))
    assert done.returncode == 1
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert not new.data.exists()


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation with a database of the operator's own, which is empty."""
    folder = tmp_path_factory.mktemp("elsewhere")
    with Cluster(folder / "cluster", folder / "run").own() as mine:
        assert mine is not None
        settings = {"database_url": mine.url, "secret_key": "the operator's own"}
        yield Installation(folder / "data", settings)


def _refused(new: Installation, file: Path, words: str) -> None:
    done = new.run("restore", str(file))
    assert done.returncode == 1
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert not any((new.data / "blobs").glob("*"))


def test_a_restore_that_fails_leaves_nothing_and_can_be_tried_again(
    saved: Backup, elsewhere: Installation, tmp_path: Path
) -> None:
    half = lambda name, old: old[: len(old) // 2] if name == archive.DUMP else old  # noqa: E731
    _refused(elsewhere, _rewritten(saved.file, tmp_path / "half.tar", half), "stays empty")
    newer = lambda _, old: old.replace(b'["', b'["accounts.0999_later","', 1)  # noqa: E731
    _refused(elsewhere, _rewritten(saved.file, tmp_path / "new.tar", newer), "a newer Auricle")
    later = lambda _, old: old.replace(b'"postgresql":18', b'"postgresql":99', 1)  # noqa: E731
    _refused(elsewhere, _rewritten(saved.file, tmp_path / "late.tar", later), "PostgreSQL 99")
    (elsewhere.data / "uploads").mkdir(parents=True, exist_ok=True)
    (elsewhere.data / "uploads").rmdir()
    (elsewhere.data / "uploads").write_text("in the way")
    _refused(elsewhere, saved.file, "Nothing was restored")
    (elsewhere.data / "uploads").unlink()
    done = elsewhere.run("restore", str(saved.file))
    assert done.returncode == 0, done.stderr
    assert "no secret: set AURICLE_SECRET_KEY" in done.stdout
    saved_again = elsewhere.run("backup", str(tmp_path / "again.tar"))
    assert "recordings: 1, no secret" in saved_again.stdout, saved_again.stderr


def test_a_backup_never_overwrites(tmp_path: Path) -> None:
    file = tmp_path / "auricle.tar"
    file.write_text("mine")
    done = Installation(tmp_path / "data").run("backup", str(file))
    assert (done.returncode, "exists already" in done.stderr) == (1, True)
    assert file.read_text() == "mine"


def test_a_target_that_cannot_be_written_is_said_to_be(tmp_path: Path) -> None:
    for target in (tmp_path / "no such folder" / "a.tar", Path("/proc/a.tar")):
        done = Installation(tmp_path / "data").run("backup", str(target))
        assert done.returncode == 1
        assert f"{target} cannot be written" in done.stderr
        assert "Traceback" not in done.stderr


def _write_until_full(target: Path) -> None:
    with archive.writing(target) as writer:
        writer.add_bytes(archive.MANIFEST, b"{}")
        Path("/dev/full").write_bytes(b"x" * 100_000)


def test_a_full_disk_leaves_no_half_archive(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="cannot be written: No space left"):
        _write_until_full(tmp_path / "a.tar")
    assert list(tmp_path.iterdir()) == []


def test_an_empty_installation_has_nothing_to_save(tmp_path: Path) -> None:
    done = Installation(tmp_path / "data").run("backup", str(tmp_path / "a.tar"))
    assert (done.returncode, "nothing to save" in done.stderr) == (1, True)
    assert not (tmp_path / "a.tar").exists()


def test_programs_that_are_older_than_the_database_are_named(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="Install the client programs of PostgreSQL 99"):
        dump.save(Settings(data=tmp_path), "snapshot", 99, BytesIO())
