"""Transcripts: made, found, changed, exported; on a real PostgreSQL, through the REST API."""

from __future__ import annotations

import asyncio
import http.server
import io
import itertools
import json
import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import numpy as np
import pytest
from django.db import connection, transaction
from django.utils import timezone
from docx import Document
from procrastinate.contrib.django.models import ProcrastinateJob
from pypdf import PdfReader
from rest_framework.test import APIClient

from auricle import link
from auricle.accounts.keys import create_key
from auricle.accounts.models import Plan, PlanLimit, PrivateInstance, User
from auricle.accounts.services import create_account, terms
from auricle.core.errors import (
    BadMedia,
    BadRequest,
    Internal,
    NoCredits,
    TooLarge,
    TooLong,
    TooMany,
    Unavailable,
)
from auricle.core.settings import Settings
from auricle.credits import services as credits
from auricle.desk import Admission, Customer, LiveRequest, admission, endings
from auricle.jobs import services as jobs
from auricle.jobs import webhooks
from auricle.jobs.models import Endpoint, Worker
from auricle.library import runs
from auricle.library.models import Segment, Status, Transcript
from auricle.library.runs import Run, Superseded
from auricle.library.services import Owner, audio_expired, expired, state_of
from auricle.media import RawAudio
from auricle.speech.progress import NOTHING_DONE, Checkpoint
from auricle.storage import Blobs
from auricle.text.requests import DIMENSIONS, Embed, Embedded
from auricle.transcript import Transcript as Heard
from auricle.transcript import Word
from auricle.work.attempts import Attempts
from auricle.work.chores import Chores
from auricle.work.worker import _Worker

pytestmark = pytest.mark.usefixtures("database")
_numbers = itertools.count(1)
SILENCE = timedelta(seconds=30)


def member(plan: str = "free", minutes: int = 0) -> User:
    user = create_account(f"reader{next(_numbers)}@example.com", plan)
    assert user.account
    if minutes:
        credits.grant(user.account.pk, minutes, "bought")
    return user


def customer(user: User | None = None, network: str = "") -> Customer:
    plan = user.account.plan if user and user.account else Plan.objects.get(id="anonymous")
    owner = Owner(user.account_id if user else None, network)
    return Customer(owner, terms(plan, "sttai"), plan.monthly_credits, operator=False)


def accept(who: Customer, duration: float = 65.0, **fields: object) -> Transcript:
    """What the door does with an upload."""
    row = Transcript(
        account_id=who.owner.account,
        network=who.owner.network,
        title="Meeting",
        dialect="sttai",
        options={"language": None},
        model="base",
        duration=duration,
        blob=f"blob{next(_numbers)}",
        fingerprint=str(next(_numbers)),
        **fields,
    )
    with transaction.atomic():
        return admission.accept(Admission(who, "sttai"), row)


@pytest.fixture(scope="module")
def worker() -> str:
    info = jobs.WorkerInfo("testworker", "here", "here", 1, ("base",), None, 0, "0")
    jobs.register(info, {})
    return info.id


def claimed(row: Transcript, worker: str) -> Run:
    run = runs.claim(row.pk, worker)
    assert run
    return run


def heard(*texts: str, language: str = "en", speakers: tuple[str, ...] = ()) -> Heard:
    """A transcript with a segment for each text, which has blanks where words begin."""
    words = []
    for number, text in enumerate(texts):
        parts = text.split("|") if "|" in text else [f" {word}" for word in text.split()]
        for place, part in enumerate(parts):
            start = 10.0 * number + place * 0.5
            speaker = speakers[number % len(speakers)] if speakers else None
            words.append(Word(part, start, start + 0.4, 0.9, speaker))
    return Heard(tuple(words), language, 0.98, 10.0 * len(texts), "base")


def finished(user: User, said: Heard, worker: str, title: str = "Meeting") -> Transcript:
    row = accept(customer(user))
    Transcript.objects.filter(pk=row.pk).update(title=title)
    endings.succeed(claimed(row, worker), said)
    row.refresh_from_db()
    return row


def client(user: User) -> APIClient:
    _, raw = create_key(user, "test")
    return APIClient(headers={"Authorization": f"Bearer {raw}"})


# ------------------------------------------------------------------ how transcripts are made


def test_row_reservation_and_job_are_written_together() -> None:
    user = member()
    row = accept(customer(user))
    job = ProcrastinateJob.objects.get(pk=row.job)
    assert (job.status, job.queue_name, job.args) == ("todo", "short-base", {"transcript": row.pk})
    assert credits.balance(user.account_id or 0, 600) == 598, "65 s are two started minutes"


def test_what_cannot_be_paid_leaves_neither_row_nor_job() -> None:
    user = member("paid", minutes=1)
    rows, queued = Transcript.objects.count(), ProcrastinateJob.objects.count()
    with pytest.raises(NoCredits):
        accept(customer(user))
    assert (Transcript.objects.count(), ProcrastinateJob.objects.count()) == (rows, queued)
    assert credits.balance(user.account_id or 0, 0) == 1


def test_a_plan_transcribes_so_many_at_a_time(worker: str) -> None:
    user = member()
    first = accept(customer(user))
    accept(customer(user))
    with pytest.raises(TooMany) as caught:
        accept(customer(user))
    assert isinstance(caught.value.retry_after, int)
    endings.succeed(claimed(first, worker), heard("done"))
    accept(customer(user))


def test_without_a_key_three_a_day_and_failures_do_not_count(worker: str) -> None:
    network = f"192.0.2.{next(_numbers)}"
    for _ in range(3):
        row = accept(customer(network=network))
        endings.succeed(claimed(row, worker), heard("done"))
    with pytest.raises(TooMany, match="3 transcriptions a day") as caught:
        accept(customer(network=network))
    assert 0 < (caught.value.retry_after or 0) <= 86400
    other = f"192.0.2.{next(_numbers)}"
    for _ in range(4):
        endings.fail(accept(customer(network=other)).pk, BadMedia("no"))
    accept(customer(network=other))


def test_the_same_upload_is_joined_and_paid_once() -> None:
    user = member()
    first = accept(customer(user), duration=60)

    def again(*, retry: bool = False) -> Transcript:
        row = Transcript(
            account=user.account, dialect="sttai", options={}, model="base", duration=60,
            fingerprint=first.fingerprint,
        )  # fmt: skip
        return admission.accept(Admission(customer(user), "sttai", again=retry), row)

    assert again() == first
    assert credits.balance(user.account_id or 0, 600) == 599
    endings.fail(first.pk, Internal("broken"))
    first = again()
    endings.fail(first.pk, TooLong("longer than it said"))
    assert again(retry=True) == first, "who only tries again is told why it failed"
    assert again() != first, "a failed one is tried again"


def test_what_failed_for_no_fault_of_the_recording_is_tried_again_by_a_retry() -> None:
    user = member()
    first = accept(customer(user))
    endings.fail(first.pk, Internal("broken"))
    row = Transcript(
        account=user.account, dialect="sttai", options={}, model="base", duration=60,
        fingerprint=first.fingerprint,
    )  # fmt: skip
    assert admission.accept(Admission(customer(user), "sttai", again=True), row) != first


def test_a_stranger_who_sends_the_same_bytes_gets_a_transcript_of_their_own() -> None:
    first = accept(customer(member()))
    stranger = member()
    again = Transcript(
        account=stranger.account, dialect="sttai", options={}, model="base", duration=60,
        fingerprint=first.fingerprint,
    )  # fmt: skip
    assert admission.accept(Admission(customer(stranger), "sttai"), again) != first


def test_a_recording_that_is_longer_than_it_said_is_paid_in_full(worker: str) -> None:
    user = member("paid", minutes=5)
    row = accept(customer(user), duration=0)
    run = claimed(row, worker)
    endings.extend(run, 3)
    assert credits.reserved(row.pk) == 3
    endings.extend(run, 2)
    assert credits.reserved(row.pk) == 3
    with pytest.raises(NoCredits, match="longer than your credits reach"):
        endings.extend(run, 6)
    endings.succeed(run, replace(heard("x"), duration=130.0))
    assert credits.balance(user.account_id or 0, 0) == 2


def test_failure_gives_back_and_says_why() -> None:
    user = member("paid", minutes=5)
    row = accept(customer(user))
    assert endings.fail(row.pk, BadMedia("It is a picture.")) == row.blob
    row.refresh_from_db()
    assert (row.status, row.reason, row.message) == ("FAILED", "bad_media", "It is a picture.")
    assert credits.balance(user.account_id or 0, 0) == 5
    state = state_of(row)
    assert state.finished
    assert isinstance(state.error, BadMedia)


def test_ending_is_once_whoever_comes_first(worker: str) -> None:
    user = member("paid", minutes=5)
    row = accept(customer(user))
    run = claimed(row, worker)
    endings.succeed(run, heard("the", "truth"))
    assert endings.fail(row.pk, Internal("late")) == ""
    with pytest.raises(Superseded):
        endings.succeed(run, heard("something else"))
    row.refresh_from_db()
    assert row.status == Status.SUCCEEDED
    assert credits.balance(user.account_id or 0, 0) == 4


# ------------------------------------------------------------------ who is let in at all


def settings_in(folder: Path, **others: Any) -> Settings:
    (folder / "uploads").mkdir(exist_ok=True)
    return Settings(data=folder, **others)


def test_nobody_is_let_in_when_nobody_works(worker: str, tmp_path: Path) -> None:
    here = settings_in(tmp_path)
    Worker.objects.filter(id=worker).update(beat=timezone.now() - timedelta(minutes=1))
    with pytest.raises(Unavailable, match="No transcription worker") as caught:
        admission.admit(here, customer(member()), "sttai", 1000)
    assert caught.value.retry_after == 5
    # Nor is a model said to be missing that a worker has which is too busy to say that it lives.
    live = LiveRequest(RawAudio("pcm_s16le", 16_000), "base")
    with pytest.raises(Unavailable, match="No transcription worker"):
        admission.begin_live(here, customer(member()), "sttai", live)
    Worker.objects.filter(id=worker).update(beat=timezone.now())
    assert admission.admit(here, customer(member()), "sttai", 1000).max_bytes == 500_000_000


def test_nobody_is_let_in_while_too_much_waits(worker: str, tmp_path: Path) -> None:
    Worker.objects.filter(id=worker).update(beat=timezone.now())
    accept(customer(member()), duration=3600)
    with pytest.raises(Unavailable, match="Too many recordings are waiting") as caught:
        admission.admit(Settings(data=tmp_path, max_queue_hours=0.5), customer(member()), "x", 9)
    assert caught.value.retry_after == 60


def test_limits_are_told_before_the_body_is_read(worker: str, tmp_path: Path) -> None:
    Worker.objects.filter(id=worker).update(beat=timezone.now())
    here, user = settings_in(tmp_path), member()
    with pytest.raises(TooLarge):
        admission.admit(here, customer(user), "sttai", 600_000_000)
    with pytest.raises(NoCredits):
        admission.admit(here, customer(member("paid")), "sttai", 1000)
    for size in (1_000_000, 2_000_000):
        accept(customer(user), size=size)
    with pytest.raises(TooMany):
        admission.admit(here, customer(user), "sttai", 40_000_000)
    admission.admit(here, customer(user), "sttai", 1_000_300)  # it may be the first one again


def test_nobody_is_let_in_when_the_disk_is_full(
    worker: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Worker.objects.filter(id=worker).update(beat=timezone.now())
    here = settings_in(tmp_path)
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=250_000_000))
    admission.admit(here, customer(member()), "sttai", 1_000_000)
    with pytest.raises(Unavailable, match="no room"):
        admission.admit(here, customer(member()), "sttai", 90_000_000)


def test_an_accounts_plan_may_count_by_the_day(worker: str) -> None:
    plan = Plan.objects.create(
        id=f"daily{next(_numbers)}", name="x", concurrent=9, daily_transcriptions=1
    )
    PlanLimit.objects.create(plan=plan, max_bytes=9, max_seconds=999)
    user = member(plan.id, minutes=9)
    accept(customer(user))
    with pytest.raises(TooMany, match="1 transcriptions a day"):
        accept(customer(user))


# ------------------------------------------------------------------ workers that die


def batch(done: float, *texts: str) -> Checkpoint:
    words = tuple(Word(f" {t}", done - 1, done, 0.5, None) for t in texts)
    return Checkpoint(done, int(done // 10), words, "en", 0.9)


def test_whoever_takes_over_goes_on_where_the_other_stopped(worker: str) -> None:
    row = accept(customer(member()))
    first = claimed(row, worker)
    assert first.resume == NOTHING_DONE
    runs.keep(first, batch(20, "one", "two"))
    runs.keep(first, batch(40, "three"))
    runs.keep(first, batch(40, "three"))
    # Live: what was told first and what a flush then brings end at the same sample.
    runs.keep(first, replace(batch(40, "four"), windows=5))
    second = claimed(row, worker)
    assert [word.bare for word in second.resume.words] == ["one", "two", "three", "four"]
    assert (second.resume.done, second.resume.windows, second.resume.language) == (40, 5, "en")
    assert second.options == first.options
    for late in (
        lambda: runs.keep(first, batch(60, "four")),
        lambda: endings.extend(first, 9),
        lambda: endings.succeed(first, heard("mine")),
        lambda: endings.fail(row.pk, Internal("mine"), first),
    ):
        with pytest.raises(Superseded):
            late()
    endings.succeed(second, heard("ours"))
    assert Segment.objects.filter(transcript=row).count() == 1
    assert row.batches.count() == 0


def set_job(row: Transcript, status: str) -> None:
    """Put a job into a state of the job engine's, as a dead worker would leave it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE procrastinate_jobs SET status = %s::procrastinate_job_status WHERE id = %s",
            [status, row.job],
        )


def rescued(row: Transcript) -> bool:
    """Whether the transcript was given another job."""
    endings.rescue(SILENCE)
    job = row.job
    row.refresh_from_db()
    return row.job != job and ProcrastinateJob.objects.get(pk=row.job).status == "todo"


def test_a_job_that_waits_is_left_waiting() -> None:
    assert not rescued(accept(customer(member())))


def test_a_job_in_living_hands_is_left_there(worker: str) -> None:
    row = accept(customer(member()))
    claimed(row, worker)
    set_job(row, "doing")
    Worker.objects.filter(id=worker).update(beat=timezone.now())
    assert not rescued(row)


@pytest.mark.parametrize("death", ["worker gone", "worker silent", "let go", "never begun", "lost"])
def test_whatever_a_dead_worker_leaves_goes_on(worker: str, death: str) -> None:
    row = accept(customer(member()))
    set_job(row, "doing")
    long_ago = timezone.now() - timedelta(minutes=5)
    if death == "worker gone":
        claimed(row, "nobody knows me")
    elif death == "worker silent":
        jobs.register(jobs.WorkerInfo("silent", "there", "there", 2, (), None, 0, "0"), {})
        Worker.objects.filter(id="silent").update(beat=long_ago)
        claimed(row, "silent")
    elif death == "let go":
        claimed(row, worker)
        Transcript.objects.filter(pk=row.pk).update(beat=long_ago)
    elif death == "lost":
        set_job(row, "failed")
    old = row.job
    assert rescued(row)
    assert not rescued(row), "once"
    assert ProcrastinateJob.objects.get(pk=old).status in ("aborted", "failed")


def test_one_that_is_tried_again_after_failing_begins_at_its_beginning(worker: str) -> None:
    """It once went on from the middle, where the failed attempt had been, without its words."""
    row = accept(customer(member()))
    runs.keep(claimed(row, worker), batch(600, "lost", "words"))
    endings.fail(row.pk, Internal("our fault"))
    row.refresh_from_db()
    endings.retry(row)
    second = claimed(row, worker)
    assert second.resume == NOTHING_DONE
    runs.keep(second, batch(300, "first"))
    runs.keep(second, batch(650, "second"))
    third = claimed(row, worker)
    assert [word.bare for word in third.resume.words] == ["first", "second"]
    assert third.attempt == 3


def test_trying_again_twice_is_trying_again_once(worker: str) -> None:
    row = accept(customer(member()))
    endings.fail(row.pk, Internal("our fault"))
    row.refresh_from_db()
    endings.retry(row)
    with pytest.raises(BadRequest):
        endings.retry(row)


def test_a_store_that_is_away_is_not_the_recordings_fault(worker: str) -> None:
    row = accept(customer(member()))
    for _ in range(runs.MOST_TRIES + 3):
        claimed(row, worker)
        runs.let_go([row.pk], worker)
    runs.let_go([row.pk], worker)
    row.refresh_from_db()
    assert row.tries == 0


def test_a_message_whose_worker_dies_is_delivered_all_the_same() -> None:
    user = member()
    endpoint = Endpoint.objects.create(
        account_id=user.account_id or 0, url="https://example.com", secret="x"
    )
    delivery = webhooks.send(endpoint, "ping", {})
    row = ProcrastinateJob.objects.get(args={"delivery": str(delivery.pk)})
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH dead AS (INSERT INTO procrastinate_workers (last_heartbeat)"
            " VALUES (now() - interval '5 minutes') RETURNING id)"
            " UPDATE procrastinate_jobs SET status = 'doing', worker_id = (SELECT id FROM dead)"
            " WHERE id = %s",
            [row.pk],
        )
    jobs.rescue_chores(SILENCE)
    assert ProcrastinateJob.objects.get(pk=row.pk).status == "todo"


def test_a_recording_that_always_breaks_its_worker_is_given_up(worker: str) -> None:
    row = accept(customer(member()))
    for _ in range(runs.MOST_TRIES):
        claimed(row, worker)
    with pytest.raises(Internal, match="broken off 10 times at the same place"):
        runs.claim(row.pk, worker)


def test_an_operator_tries_again_what_we_have_broken(worker: str) -> None:
    user = member("paid", minutes=5)
    row = accept(customer(user))
    assert endings.fail(row.pk, Internal("our fault")) == "", "the recording stays for a day"
    row.refresh_from_db()
    endings.retry(row)
    endings.succeed(claimed(row, worker), heard("after all"))
    row.refresh_from_db()
    assert row.status == Status.SUCCEEDED
    assert credits.balance(user.account_id or 0, 0) == 5, "on the house"
    with pytest.raises(BadRequest):
        endings.retry(row)


# ------------------------------------------------------------------ what is kept for how long


def test_recordings_and_transcripts_go_when_their_time_is_over(worker: str) -> None:
    user, keeper = member(), member()
    assert keeper.account
    keeper.account.keep_audio_days = 3
    keeper.account.keep_transcripts_days = 10
    keeper.account.save()
    gone, kept = accept(customer(user)), accept(customer(keeper))
    assert endings.succeed(claimed(gone, worker), heard("x")) == gone.blob
    assert endings.succeed(claimed(kept, worker), heard("x")) == ""
    assert kept.pk not in audio_expired().values_list("pk", flat=True)
    for days, audio, whole in ((4, True, False), (11, True, True)):
        Transcript.objects.filter(pk=kept.pk).update(finished=timezone.now() - timedelta(days=days))
        assert (kept.pk in audio_expired().values_list("pk", flat=True)) is audio
        assert (kept.pk in expired().values_list("pk", flat=True)) is whole
    assert gone.pk not in expired().values_list("pk", flat=True)


# ------------------------------------------------------------------ the REST API


def test_the_words_are_found_in_every_script(worker: str) -> None:
    user = member()
    rows = {
        "en": finished(user, heard("The quick, brown fox's den.", "It jumps!"), worker),
        "zh": finished(user, heard("我们|今天|开会|讨论|预算", language="zh"), worker),
        "ja": finished(user, heard("今日は|図書館|で|カ|レ|ー|を", language="ja"), worker),
        "th": finished(user, heard("สวัส|ดีครับ|วันนี้", language="th"), worker),
        "vi": finished(user, heard("Cuộc họp về ngân sách", language="vi"), worker),
        "ar": finished(user, heard("اجتماع اليوم مهم", language="ar"), worker),
        "hi": finished(user, heard("आज की बैठक", language="hi"), worker),
        "ko": finished(user, heard("오늘 회의가 있습니다", language="ko"), worker),
    }
    api = client(user)
    for asked, language in [
        ("QUICK fox's", "en"), ("fox jumps", "en"), ("今天", "zh"), ("议讨", None),
        ("会讨论", "zh"),
        ("図書館でカレー", "ja"), ("สวัสดี", "th"), ("ngân sách", "vi"), ("اليوم", "ar"),
        ("बैठक", "hi"), ("회의가", "ko"), ("quick slow", None), ("'; DROP TABLE x; --", None),
        ("fox:* & !den | (", "en"),
    ]:  # fmt: skip
        found = api.get("/api/v1/transcripts/", {"search": asked}).json()
        expected = [rows[language].pk] if language else []
        assert [row["id"] for row in found["results"]] == expected, asked


def test_lists_are_filtered_and_paged(worker: str) -> None:
    user = member()
    rows = [finished(user, heard("x"), worker, title=f"number {n}") for n in range(3)]
    endings.fail(accept(customer(user)).pk, BadMedia("no"))
    accept(customer(user))
    api = client(user)
    page = api.get("/api/v1/transcripts/", {"limit": 2, "offset": 2}).json()
    assert page["count"] == 5
    assert [row["id"] for row in page["results"]] == [rows[2].pk, rows[1].pk]
    assert "offset=4" in page["next"]
    assert page["previous"].endswith("limit=2")
    for status, count in [("completed", 3), ("failed", 1), ("processing", 1), ("SUCCEEDED", 3)]:
        assert api.get("/api/v1/transcripts/", {"status": status}).json()["count"] == count
    for filters, count in [
        ({"language": "en"}, 3), ({"language": "English"}, 3), ({"language": "de"}, 0),
        ({"date_from": "2020-01-01"}, 5), ({"date_to": "2020-01-01"}, 0), ({"limit": "0"}, 5),
        ({"date": "2020-01-01"}, 0),
    ]:  # fmt: skip
        assert api.get("/api/v1/transcripts/", filters).json()["count"] == count
    for filters in ({"status": "lost"}, {"language": "klingon"}, {"date_from": "yesterday"}):
        answer = api.get("/api/v1/transcripts/", filters)
        assert answer.status_code == 400
        assert list(answer.json()) == ["error"]


def test_a_search_and_a_correction_have_an_end(worker: str) -> None:
    user = member()
    row = finished(user, heard("a b " * 300), worker)
    api = client(user)
    too_much = api.get("/api/v1/transcripts/", {"search": "word " * 11})
    assert too_much.status_code == 400
    (segment, *_) = api.get(f"/api/v1/transcripts/{row.pk}/").json()["segments"]
    changes = {"segments": [{"id": segment["id"], "text": "a " * 2400}]}
    changed = api.patch(f"/api/v1/transcripts/{row.pk}/", changes, format="json").json()
    times = [word["start"] for word in changed["segments"][0]["words"]]
    assert times == sorted(times)


def test_a_transcript_is_known_by_number_and_slug(worker: str) -> None:
    user = member()
    row = finished(
        user, heard("Good morning.", "Hello.", speakers=("Speaker 1", "Speaker 2")), worker
    )
    api = client(user)
    by_number = api.get(f"/api/v1/transcripts/{row.pk}/").json()
    assert by_number == api.get(f"/api/v1/transcripts/{row.slug}/").json()
    assert by_number["status"] == "completed"
    assert by_number["text"] == "Good morning. Hello."
    assert by_number["speakers"] == ["Speaker 1", "Speaker 2"]
    assert by_number["segments"][1]["start"] == 10.0
    assert by_number["segments"][1]["words"] == [{"word": "Hello.", "start": 10.0, "end": 10.4}]
    for nobody in ("0", "99999999999999999999999", "x" * 24, "%00", "a-b", "-1", "9" * 5000):
        assert api.get(f"/api/v1/transcripts/{nobody}/").status_code == 404


def test_titles_speakers_and_text_can_be_corrected(worker: str) -> None:
    user = member()
    said = heard("Good mourning everybody here", "Hello Bob", speakers=("Speaker 1", "Speaker 2"))
    row = finished(user, said, worker)
    api = client(user)
    first = api.get(f"/api/v1/transcripts/{row.pk}/").json()["segments"][0]
    changed = api.patch(
        f"/api/v1/transcripts/{row.pk}/",
        {
            "title": "Greetings",
            "speaker_names": {"Speaker 1": "Ann", "Speaker 2": "Zoë 李"},
            "segments": [{"id": first["id"], "text": "Good morning to everybody here"}],
        },
        format="json",
    ).json()
    assert changed["title"] == "Greetings"
    assert changed["speakers"] == ["Ann", "Zoë 李"]
    segment = changed["segments"][0]
    assert (segment["text"], segment["speaker"]) == ("Good morning to everybody here", "Ann")
    assert segment["words"][0] == first["words"][0]
    assert segment["words"][-2:] == first["words"][-2:], "words that stay keep their times"
    times = [t for word in segment["words"] for t in (word["start"], word["end"])]
    assert times == sorted(times)
    found = api.get("/api/v1/transcripts/", {"search": "morning"}).json()
    assert found["count"] == 1
    assert api.get("/api/v1/transcripts/", {"search": "mourning"}).json()["count"] == 0
    text = api.get(f"/api/v1/transcripts/{row.pk}/export/txt/").content.decode()
    assert text == "Ann: Good morning to everybody here\nZoë 李: Hello Bob\n"
    for wrong in (
        {"speaker_names": {"Speaker 9": "x"}}, {"speaker_names": ["x"]}, {"title": "x" * 301},
        {"segments": [{"id": 0, "text": "x"}]}, {"segments": [{"id": first["id"], "text": " "}]},
        {"segments": "x"},
    ):  # fmt: skip
        answer = api.patch(f"/api/v1/transcripts/{row.pk}/", wrong, format="json")
        assert answer.status_code == 400, wrong
        assert list(answer.json()) == ["error"]


def test_a_correction_of_chinese_is_found_too(worker: str) -> None:
    user = member()
    row = finished(user, heard("我们|今天|开会", language="zh"), worker)
    api = client(user)
    (segment,) = api.get(f"/api/v1/transcripts/{row.pk}/").json()["segments"]
    correction = {"segments": [{"id": segment["id"], "text": "我们明天开会"}]}
    changed = api.patch(f"/api/v1/transcripts/{row.pk}/", correction, format="json").json()
    assert changed["text"] == "我们明天开会"
    assert api.get("/api/v1/transcripts/", {"search": "明天开会"}).json()["count"] == 1


def test_every_export_can_be_read_back(worker: str) -> None:
    user = member()
    said = heard("Good morning.", "Guten Tag.", speakers=("Speaker 1", "Speaker 2"))
    row = finished(user, said, worker, title="Besprechung: Büro / 1")
    api = client(user)

    def export(fmt: str) -> bytes:
        answer = api.get(f"/api/v1/transcripts/{row.pk}/export/{fmt}/")
        assert answer.status_code == 200
        assert f'filename="besprechung-buro-1.{fmt}"' in answer["Content-Disposition"]
        return bytes(answer.content)

    assert export("txt").decode().splitlines()[0] == "Speaker 1: Good morning."
    assert b"-->" in export("srt")
    assert b"WEBVTT" in export("vtt")
    assert json.loads(export("json"))["segments"][1]["speaker"] == "Speaker 2"
    assert b"Guten Tag." in export("csv")
    document = Document(io.BytesIO(export("docx")))
    assert any("Guten Tag." in paragraph.text for paragraph in document.paragraphs)
    pages = "".join(page.extract_text() for page in PdfReader(io.BytesIO(export("pdf"))).pages)
    assert "Guten Tag." in pages
    assert "Besprechung" in pages
    assert api.get(f"/api/v1/transcripts/{row.pk}/export/exe/").status_code == 400
    waiting = accept(customer(user))
    assert api.get(f"/api/v1/transcripts/{waiting.pk}/export/txt/").status_code == 404


def test_deleting_cancels_and_gives_back(worker: str) -> None:
    user = member("paid", minutes=5)
    row = accept(customer(user), duration=100)
    run = claimed(row, worker)
    assert endings.delete(row) == row.blob
    assert credits.balance(user.account_id or 0, 0) == 5
    with pytest.raises(Superseded):
        endings.succeed(run, heard("too late"))
    assert client(user).get(f"/api/v1/transcripts/{row.pk}/").status_code == 404


def test_progress_shows_windows_and_never_goes_back(worker: str) -> None:
    user = member()
    row = accept(customer(user), duration=100)
    api = client(user)

    def progress() -> dict[str, float]:
        answer = api.get(f"/api/v1/transcripts/{row.pk}/").json()
        assert answer["status"] == "processing"
        return dict(answer["progress"])

    assert progress() == {"windows_done": 0, "windows_all": 4, "seconds_done": 0, "duration": 100}
    run = claimed(row, worker)
    runs.keep(run, batch(50, "x"))
    assert progress() == {"windows_done": 5, "windows_all": 7, "seconds_done": 50, "duration": 100}
    endings.succeed(run, replace(heard("x"), duration=100.0))
    done = api.get(f"/api/v1/transcripts/{row.pk}/").json()["progress"]
    assert done["windows_done"] == done["windows_all"]


# ------------------------------------------------------------------ what is swept up


def test_sweeping_deletes_what_is_over_and_what_nobody_knows(worker: str, tmp_path: Path) -> None:
    settings = Settings(data=tmp_path)
    blobs = Blobs(settings)
    old = time.time() - 3 * 3600
    user = member()
    waiting, failed = accept(customer(user)), accept(customer(user))
    endings.fail(failed.pk, Internal("ours"))
    unclaimed = accept(customer(network=f"192.0.2.{next(_numbers)}"))
    endings.succeed(claimed(unclaimed, worker), heard("x"))
    Transcript.objects.filter(pk=unclaimed.pk).update(finished=timezone.now() - timedelta(hours=2))
    for name in (waiting.blob, failed.blob, "orphan", "arriving"):
        (tmp_path / "blobs" / name).write_bytes(b"sound")
        if name != "arriving":
            os.utime(tmp_path / "blobs" / name, (old, old))
    Chores(settings, blobs).sweep(0)
    left = {file.name for file in (tmp_path / "blobs").iterdir()}
    assert left == {waiting.blob, failed.blob, "arriving"}
    assert not Transcript.objects.filter(pk=unclaimed.pk).exists()
    Transcript.objects.filter(pk=failed.pk).update(finished=timezone.now() - timedelta(days=2))
    Chores(settings, blobs).sweep(0)
    assert not (tmp_path / "blobs" / failed.blob).exists()


def test_private_instances_are_asked_how_they_are(tmp_path: Path) -> None:
    user = member()
    account = user.account_id or 0

    class Health(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/good/health" else 503)
            self.end_headers()
            self.wfile.write(b'{"status": "ok", "version": "1.2"}')

        def log_message(self, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Health) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        base = f"http://127.0.0.1:{server.server_port}"
        for name, url in (
            ("one", f"{base}/good/"), ("two", f"{base}/bad"), ("three", "http://127.0.0.1:1/"),
        ):  # fmt: skip
            PrivateInstance.objects.create(account_id=account, name=name, url=url, region="eu")
        settings = Settings(data=tmp_path, url_allow_hosts=(f"127.0.0.1:{server.server_port}",))
        Chores(settings, Blobs(settings)).check_instances(0)
        server.shutdown()
    found = {row["name"]: row for row in client(user).get("/api/v1/cloud/").json()["results"]}
    assert (found["one"]["status"], found["one"]["version"]) == ("running", "1.2")
    assert found["two"]["status"] == "unhealthy"
    assert found["three"]["status"] == "unreachable"
    assert found["one"]["checked"]


# ------------------------------------------------------------------ workers come and go


def test_a_worker_that_begins_anew_stays_registered_but_hears_nothing_live(tmp_path: Path) -> None:
    """So uploads are let in meanwhile, while others go on with what it had in hand."""
    settings = Settings(data=tmp_path)
    leaving = _Worker.__new__(_Worker)
    leaving._attempts = Attempts("leaver", Blobs(settings))
    leaving._info = jobs.WorkerInfo("leaver", "h", "m", 7, ("small",), None, 0, "0", "/run/speech")
    jobs.register(leaving._info, {})
    assert jobs.speech_worker(SILENCE, "m", "small").id == "leaver"
    leaving._leave(returns=True)
    (row,) = Worker.objects.filter(machine="m")
    assert (row.pid, row.models_, row.address) == (7, ["small"], "")
    assert row.id != "leaver"
    assert row in jobs.alive(SILENCE)
    with pytest.raises(Unavailable):
        jobs.speech_worker(SILENCE, "m", "small")
    jobs.forget_gone("m", lambda pid: pid != 7)  # as it does when it is there again
    assert not Worker.objects.filter(machine="m").exists()


def test_a_worker_that_ends_is_forgotten(tmp_path: Path) -> None:
    leaving = _Worker.__new__(_Worker)
    leaving._attempts = Attempts("ender", Blobs(Settings(data=tmp_path)))
    leaving._info = jobs.WorkerInfo("ender", "h", "m", 7, ("small",), None, 0, "0", "/run/speech")
    jobs.register(leaving._info, {})
    leaving._leave(returns=False)
    assert not Worker.objects.filter(machine="m").exists()


# ------------------------------------------------------------------ made ready for searching


def test_vectors_of_new_transcripts_are_made_together(worker: str, tmp_path: Path) -> None:
    """A member's that came lately, in one call; not a stranger's, whose nobody can search."""
    user = member()
    rows = [finished(user, heard("Good morning.", "Let us begin."), worker) for _ in range(3)]
    endings.succeed(claimed(accept(customer(network="10.0.0.9")), worker), heard("Hello."))
    missing = Segment.objects.filter(transcript__account__isnull=False, vector=None).count()
    settings = Settings(data=tmp_path)
    with embedder(settings) as calls:
        Chores(settings, Blobs(settings)).make_vectors(0)
    assert calls == [missing]
    assert not Segment.objects.filter(transcript__in=rows, vector=None).exists()
    strangers = Segment.objects.filter(transcript__account=None)
    assert strangers.exists()
    assert not strangers.exclude(vector=None).exists()


@contextmanager
def embedder(settings: Settings) -> Iterator[list[int]]:
    """A text worker that answers with vectors of ones, and with how many texts it was called."""
    calls: list[int] = []

    async def embed(call: link.Call) -> Embedded:
        asked = msgspec.convert(call.params, Embed)
        calls.append(len(asked.texts))
        ones = np.ones((len(asked.texts), DIMENSIONS), "<f4")
        return Embedded(ones.tobytes(), 0, "ones")

    path = link.socket_path(settings.run_dir, "text-ones")
    with serving(path, {"embed": embed}):
        machine = jobs.this_machine()
        info = jobs.WorkerInfo("ones", "here", machine, 1, (), None, 0, "0", str(path), "text")
        jobs.register(info, {})
        yield calls
        jobs.unregister(info.id)


@contextmanager
def serving(path: Path, handlers: Mapping[str, link.Handler]) -> Iterator[None]:
    """The link's server in a thread."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    asyncio.run_coroutine_threadsafe(link.serve(path, handlers), loop).result()
    yield
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
