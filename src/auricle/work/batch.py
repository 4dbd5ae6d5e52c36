"""Files to text without a server, for the command line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.progress import Progress as Bar
from rich.progress import TaskID

from auricle.core.errors import AuricleError, BadRequest
from auricle.core.settings import Settings
from auricle.media import MediaPool
from auricle.models import ModelStore, find, resolve
from auricle.speech import SpeechOptions
from auricle.speech.progress import Progress, Watcher
from auricle.transcript.export import FORMATS
from auricle.transcript.languages import parse
from auricle.work.memory import keep_memory
from auricle.work.speakers import Asked
from auricle.work.transcriber import FileJob, Transcriber


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of all files."""

    model: str
    language: str
    fmt: str
    diarize: bool


def transcribe_files(
    settings: Settings, files: Sequence[Path], wanted: Wanted, bar: Bar
) -> Iterator[tuple[Path, bytes | AuricleError]]:
    """Yield each file with its rendered transcript, or with what is wrong with it.

    Raises an error only for what concerns all of them: model, language, format.
    """
    if wanted.fmt not in FORMATS:
        raise BadRequest(f"Unknown format {wanted.fmt!r}. Choose one of: {', '.join(FORMATS)}.")
    keep_memory()
    store = ModelStore(settings.models_dir)
    model_id = resolve(wanted.model, settings.model_aliases, store.default(settings.default_model))
    store.path(find(model_id))  # raises ModelNotInstalled before anything is decoded
    options = SpeechOptions(language=parse(wanted.language))
    with MediaPool() as media:
        transcriber = Transcriber(settings, store, media)
        for file in files:
            try:
                with file.open("rb") as opened:
                    duration = media.probe(opened, file.name).duration
                    row = bar.add_task(file.name, total=duration)
                    limit = settings.max_audio_hours * 3600
                    asked = Asked(diarize=wanted.diarize)
                    job = FileJob(file.name, model_id, options, limit, speakers=asked)
                    found = transcriber.transcribe(opened, job, watcher=_OnBar(bar, row))
                bar.update(row, total=found.duration, completed=found.duration)
                yield file, FORMATS[wanted.fmt].render(found, file.stem)
            except AuricleError as error:
                yield file, error


class _OnBar(Watcher):
    """Shows the progress of one file."""

    def __init__(self, bar: Bar, row: TaskID) -> None:
        self._bar = bar
        self._row = row

    def progress(self, progress: Progress) -> None:
        self._bar.update(self._row, completed=progress.done)
