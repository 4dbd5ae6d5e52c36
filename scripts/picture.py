"""Writes docs/demo.svg: what `make demo` prints, as a picture of a terminal."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).parent.parent


def main() -> None:
    """Run the demo and draw its output."""
    demo = subprocess.run(
        [sys.executable, ROOT / "scripts" / "demo.py"], capture_output=True, text=True, check=True
    )
    console = Console(record=True, width=100, file=io.StringIO())
    console.print(Text("$ make demo", style="bold"))
    console.print(Text(demo.stdout.rstrip()))
    svg = console.export_svg(title="auricle")
    # The picture must not fetch a font from somewhere when somebody looks at it.
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.S)
    (ROOT / "docs" / "demo.svg").write_text(svg)


if __name__ == "__main__":
    main()
