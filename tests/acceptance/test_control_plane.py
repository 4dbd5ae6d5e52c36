"""Accounts, credits and durable jobs while everything that can die does: one machine of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from chaos import CLIENTS, KINDS, Talks, drill
from processes import Installation, auricle, environment, eventually
from throughput import measure
from uploads import SlowUpload

KILLS = 12
SEED = 1
USED_UP = {"error": "No credits remaining. Upgrade your plan."}


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> Iterator[Installation]:
    """A server with its database and a worker whose engine is done at once."""
    folder = tmp_path_factory.mktemp("ours")
    settings = {"engine": "fake"}
    found = Installation(environment(folder / "data", models_dir, **settings), folder / "log")
    found.start()
    try:
        found.wait_ready()
        found.query("UPDATE accounts_plan SET concurrent = 1000 WHERE id = 'paid'")
        yield found
    finally:
        found.stop()


@pytest.fixture(scope="module")
def talks(recording: Path) -> Talks:
    return Talks(recording, SEED)


def customer(ours: Installation, email: str, granted: int) -> str:
    """The key of somebody new who pays."""
    order = ("keys", "create", "--email", email, "--plan", "paid", "--credits", str(granted))
    return auricle(ours.environment, *order)


def leavings(ours: Installation, email: str) -> dict[str, int]:
    """What there is of somebody's uploads, on disk and in the database."""
    [(transcripts, reserved)] = ours.query(
        "SELECT (SELECT count(*) FROM library_transcript WHERE account_id = u.account_id),"
        " (SELECT count(*) FROM credits_entry WHERE account_id = u.account_id AND kind = 'reserve')"
        " FROM accounts_user u WHERE email = %s",
        email,
    )
    files = {name: len(list((ours.data / name).iterdir())) for name in ("uploads", "blobs")}
    return files | {"transcripts": transcripts, "reserved": reserved}


NOTHING = {"uploads": 0, "blobs": 0, "transcripts": 0, "reserved": 0}


def test_nothing_is_lost_or_charged_twice_when_everything_is_killed(
    tmp_path: Path, models_dir: Path, recording: Path
) -> None:
    found = drill(tmp_path / "data", models_dir, recording, KILLS, SEED)
    print(found)
    assert found.complaints == []
    assert found.kills == dict.fromkeys(KINDS, KILLS // len(KINDS))
    assert found.answered >= CLIENTS
    assert found.taken_over > 0, "no kill has met a transcription that was under way"
    assert set(found.statuses) - {"200"}, "no client has noticed anything"


def test_of_fifty_requests_at_once_one_gets_the_last_credit(
    ours: Installation, talks: Talks
) -> None:
    key = customer(ours, "lou@example.com", granted=1)
    contents = [talks.next(repeats=1) for _ in range(50)]
    uploads = [SlowUpload(ours.url, key, talk.content, talk.name) for talk in contents]
    with ThreadPoolExecutor(50) as pool:
        list(pool.map(SlowUpload.ask, uploads))
        # All are let in, because the credit is still there; then all bodies come at once.
        assert all(pool.map(SlowUpload.admitted, uploads))
        list(pool.map(SlowUpload.send, uploads))
        answers = list(pool.map(SlowUpload.answer, uploads))
    assert Counter(answer.status for answer in answers) == {200: 1, 402: 49}
    assert all(answer.body == USED_UP for answer in answers if answer.status == 402)
    [(balance,)] = ours.query(
        "SELECT balance FROM credits_wallet w JOIN accounts_user u USING (account_id)"
        " WHERE email = 'lou@example.com'"
    )
    assert balance == 0
    one = NOTHING | {"transcripts": 1, "reserved": 1}
    eventually(lambda: leavings(ours, "lou@example.com") == one, "its recording to be deleted")


def test_an_upload_whose_client_leaves_half_way_leaves_nothing(
    ours: Installation, talks: Talks
) -> None:
    key = customer(ours, "max@example.com", granted=10)
    upload = half_sent(ours, key, talks)
    upload.leave()
    eventually(lambda: leavings(ours, "max@example.com") == NOTHING, "the upload to be deleted")


def test_an_upload_during_which_the_server_dies_leaves_nothing(
    ours: Installation, talks: Talks
) -> None:
    key = customer(ours, "mia@example.com", granted=10)
    half_sent(ours, key, talks)
    ours.kill()
    ours.start()
    ours.wait_ready()
    assert leavings(ours, "mia@example.com") == NOTHING


def half_sent(ours: Installation, key: str, talks: Talks) -> SlowUpload:
    """An upload of which the server has written a part to its disk."""
    upload = SlowUpload(ours.url, key, talks.next(repeats=4).content)
    upload.ask()
    assert upload.admitted()
    upload.send(slice(0, len(upload.body) // 2))

    def written() -> int:
        return sum(file.stat().st_size for file in (ours.data / "uploads").iterdir())

    eventually(written, "the first half to arrive")
    return upload


def test_an_authenticated_request_costs_at_most_as_much_again_as_the_framework(
    tmp_path: Path, models_dir: Path
) -> None:
    found = measure(environment(tmp_path, models_dir))
    print(found, found.ratios)
    assert max(found.ratios) >= 0.5
