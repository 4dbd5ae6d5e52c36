"""PDF, typeset by Typst. What was said goes in as data, so that none of it is taken for markup.

Only the Noto fonts of two packages are used, never the machine's: a PDF looks the same wherever it
is made, and needs nothing installed. They lack Tibetan; its letters come out as boxes.
"""

from __future__ import annotations

import json
import re
from importlib.resources import as_file, files
from typing import Any

import typst

from auricle.transcript.export.pages import Document, lay_out
from auricle.transcript.export.writing import SIMPLE_LETTERS, Kind, Writing
from auricle.transcript.transcript import Transcript

FONT = "Noto Sans"
CJK_FONTS = {
    "ja-JP": "Noto Sans CJK JP",
    "ko-KR": "Noto Sans CJK KR",
    "zh-CN": "Noto Sans CJK SC",
    "zh-TW": "Noto Sans CJK TC",
    "zh-HK": "Noto Sans CJK HK",
}
"""The regions write the same characters differently: 直, 骨, 化."""

LONGEST_WORD = 60
LONGEST_TITLE_WORD = 30
"""Typst lets what it cannot break run off the page: words of a model that stutters, file names."""

KEPT_DOCUMENTS = 10

TEMPLATE = """\
#let document-data = json(bytes(sys.inputs.document))
#let written(style, body) = {
  set text(
    font: style.fonts, lang: style.lang, region: style.region,
    dir: if style.right-to-left { rtl } else { ltr },
  )
  body
}
#set document(title: document-data.title)
#set page(paper: "a4", margin: (x: 2.4cm, y: 2.4cm), numbering: "1 / 1")
#set text(font: "Noto Sans", size: 10.5pt)
#set par(leading: 0.8em, spacing: 1.2em)
#show heading: set text(size: 18pt)
#written(document-data.title-style, heading(document-data.heading))
#par(text(fill: luma(90), document-data.about))
#v(1em)
#for item in document-data.paragraphs {
  written(document-data.styles.at(item.style), par({
    text(size: 0.85em, fill: luma(90), "[" + item.clock + "]")
    " "
    if item.speaker != "" { strong(item.speaker + ":") + " " }
    item.text
  }))
}
"""


def to_pdf(transcript: Transcript, title: str) -> bytes:
    """Render as an A4 document with page numbers."""
    data = json.dumps(_data(lay_out(transcript, title)), ensure_ascii=False)
    with as_file(files("manimgx_fonts")) as most, as_file(files("manimgx_fonts_cjk")) as cjk:
        fonts = typst.Fonts(
            include_system_fonts=False, include_embedded_fonts=False, font_paths=[most, cjk]
        )
        try:
            return typst.compile(
                TEMPLATE.encode(), font_paths=fonts, sys_inputs={"document": data}, format="pdf"
            )
        finally:
            _forget(fonts)


def _forget(fonts: typst.Fonts) -> None:
    """Empty Typst's cache, which keeps what the last ten documents needed: 200 MB for each of 12
    hours. Nothing else empties it, but every further document makes it older."""
    for _ in range(KEPT_DOCUMENTS + 1):
        typst.compile(b"", font_paths=fonts, format="pdf")


def _data(document: Document) -> dict[str, Any]:
    styles = {paragraph.writing.tag: paragraph.writing for paragraph in document.paragraphs}
    return {
        "title": document.title,
        "heading": _breakable(document.title, LONGEST_TITLE_WORD),
        "title-style": _style(document.title_writing),
        "about": document.about,
        "styles": {tag: _style(writing) for tag, writing in styles.items()},
        "paragraphs": [
            {
                "clock": paragraph.clock,
                "speaker": _breakable(paragraph.speaker, LONGEST_WORD),
                "text": _breakable(paragraph.text, LONGEST_WORD),
                "style": paragraph.writing.tag,
            }
            for paragraph in document.paragraphs
        ],
    }


def _breakable(text: str, longest: int) -> str:
    """The text with an invisible place to break (U+200B) after so many characters without one."""
    return re.sub(rf"[!-~{SIMPLE_LETTERS}]{{{longest}}}", "\\g<0>\u200b", text)


def _style(writing: Writing) -> dict[str, Any]:
    """What Typst's ``text`` wants. Scripts that no named font has are found in the others."""
    lang, _, region = writing.tag.partition("-")
    fonts = [FONT]
    if writing.kind is Kind.EAST_ASIAN:  # first, for its wide punctuation
        fonts = [CJK_FONTS[writing.tag], FONT]
    return {
        "fonts": fonts,
        "lang": lang,
        "region": region or None,
        "right-to-left": writing.right_to_left,
    }
