"""The only bridge to the database from outside Django's own requests."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

import django
import psycopg
from django.core.management import call_command
from django.db import (
    InterfaceError,
    OperationalError,
    close_old_connections,
    connection,
    connections,
)
from django.db.migrations.executor import MigrationExecutor
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import PoolTimeout
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from auricle.core.errors import Unavailable
from auricle.core.settings import Settings, load
from auricle.postgres import Cluster, address

P = ParamSpec("P")
T = TypeVar("T")

THREADS = 16
"""Database calls of one serving process that run at a time."""

CONNECT_S = 5
RETRY_S = 5
PATIENCE_S = 60.0
"""How long a worker tries again while the database is away."""

_MIGRATING = 0x61757269636C65
"""Number of the lock under which tables are changed."""

_threads = ThreadPoolExecutor(THREADS, thread_name_prefix="db")


def setup() -> None:
    """Make Django ready; to be called once, before anything imports a model."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "auricle.site.settings"
    django.setup(set_prefix=False)


@contextmanager
def available(settings: Settings) -> Iterator[None]:
    """Have the database ready for a command; the embedded one is started unless it runs already.

    Raises :class:`Unavailable` with what has to be done.
    """
    with running(settings), ready(settings):
        yield


@contextmanager
def running(settings: Settings) -> Iterator[bool]:
    """Have the database run, with whatever tables it has; yields whether it runs for us alone."""
    if settings.database_url is not None:
        yield False
        return
    with Cluster(settings.cluster_dir, settings.run_dir).own() as mine:
        if mine is None:
            _wait_for_owner(settings)
        yield mine is not None


@contextmanager
def ready(settings: Settings) -> Iterator[None]:
    """Have a running database ready for use, with tables of this version.

    Raises :class:`Unavailable` with what has to be done.
    """
    setup()
    if settings.database_url is None:
        migrate()
    else:
        refuse_unmigrated()
    try:
        yield
    finally:
        close_pools()


def close_pools() -> None:
    """Give all connections back; the database may be about to stop."""
    for each in connections.all(initialized_only=True):
        each.close()
        each.close_pool()  # type: ignore[attr-defined]


def _wait_for_owner(settings: Settings) -> None:
    """Another process is starting the database."""
    until = time.monotonic() + PATIENCE_S
    while address(settings.run_dir) is None and time.monotonic() < until:
        time.sleep(0.1)


def conninfo(settings: Settings) -> dict[str, Any]:
    """libpq's parameters of the database.

    Raises :class:`Unavailable` when there is neither a setting nor an embedded one.
    """
    if settings.database_url is not None:
        url = settings.database_url.get_secret_value()
    elif (found := address(settings.run_dir)) is not None:
        url = found.url
    else:
        raise Unavailable(
            "The database is not running. Start 'auricle serve', or set AURICLE_DATABASE_URL."
        )
    return {"connect_timeout": CONNECT_S, **conninfo_to_dict(url)}


def migrate() -> None:
    """Bring the database's tables up to date; of several processes one does it."""
    with calling(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [_MIGRATING])
        try:
            call_command("migrate", verbosity=0)
            call_command("createcachetable", verbosity=0)
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_MIGRATING])


def refuse_unmigrated() -> None:
    """Raise :class:`Unavailable` when the tables are not those of this version."""
    with calling():
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            raise Unavailable("The database's tables are out of date. Run 'auricle migrate'.")


GONE = (OperationalError, InterfaceError, PoolTimeout)
"""What the ORM raises when the database does not answer."""


def gone() -> Unavailable:
    """The same, for the person who sent the request."""
    return Unavailable(
        "The database does not answer. Try again in a few seconds.", retry_after=RETRY_S
    )


@contextmanager
def calling() -> Iterator[None]:
    """A unit of work with the database: a healthy connection before, none kept after.

    Raises :class:`Unavailable` when the database does not answer.
    """
    close_old_connections()
    try:
        yield
    except GONE as error:
        raise gone() from error
    finally:
        close_old_connections()


async def run(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function that uses the ORM, from asynchronous code."""

    def call() -> T:
        with calling():
            return function(*args, **kwargs)

    return await asyncio.get_running_loop().run_in_executor(_threads, call)


def patiently(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function that uses the ORM, again and again while the database is away.

    For workers, and for whatever may safely be done twice: after a broken connection nobody knows
    whether the first try was kept.
    """
    retrying = Retrying(
        retry=retry_if_exception_type(Unavailable),
        stop=stop_after_delay(PATIENCE_S),
        wait=wait_random_exponential(multiplier=0.2, max=5),
        reraise=True,
    )

    def call() -> T:
        with calling():
            return function(*args, **kwargs)

    return retrying(call)


async def listener() -> psycopg.AsyncConnection[Any]:
    """A connection of its own that commits by itself, for LISTEN."""
    return await psycopg.AsyncConnection.connect(**conninfo(load()), autocommit=True)
