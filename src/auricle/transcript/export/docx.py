"""DOCX, as Word and LibreOffice read it (ECMA-376; the numbers below are sections of its part 1).

Office picks fonts, languages and boldness by kind of script, and a direction for each paragraph
and each run; all of it is written down, so that nothing depends on the reader's own settings.
"""

from __future__ import annotations

import io
from copy import deepcopy
from datetime import UTC, datetime
from functools import cache

import docx
from docx.document import Document as File
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.oxml.xmlchemy import BaseOxmlElement
from docx.shared import Mm, RGBColor
from docx.text.font import Font

from auricle.transcript.export.pages import Paragraph, lay_out
from auricle.transcript.export.writing import Kind, Writing, directed, writing_of
from auricle.transcript.transcript import Transcript

FONT = "Calibri"
GREY = RGBColor(0x59, 0x59, 0x59)
LONGEST_PROPERTY = 255
"""python-docx refuses longer titles in a document's properties."""

EAST_ASIAN_FONTS = {
    "ja-JP": "Yu Gothic",
    "ko-KR": "Malgun Gothic",
    "zh-CN": "Microsoft YaHei",
    "zh-TW": "Microsoft JhengHei",
    "zh-HK": "Microsoft JhengHei",
}
COMPLEX_FONTS = {
    **dict.fromkeys(("ar", "fa", "ur", "ps", "sd", "he", "yi"), "Arial"),
    **dict.fromkeys(("th", "lo", "km"), "Leelawadee UI"),
    "my": "Myanmar Text",
    "bo": "Microsoft Himalaya",
}
INDIC_FONT = "Nirmala UI"
"""The other complex scripts. All of these come with Office; others have their own."""


def to_docx(transcript: Transcript, title: str) -> bytes:
    """Render as a Word document of A4 pages."""
    document = lay_out(transcript, title)
    file = docx.Document()
    _prepare(file, document.title, writing_of("", transcript.language).tag)
    heading = file.add_paragraph(style="Title")._p
    _direct(heading, document.title_writing)
    _write(heading, document.title, document.title_writing)
    file.add_paragraph().add_run(document.about).font.color.rgb = GREY
    # python-docx's own ways to add are slow: 18 s for 12 hours of speech, 2 s so.
    end = file.element.body[-1]
    for paragraph in document.paragraphs:
        end.addprevious(_block(paragraph))
    output = io.BytesIO()
    file.save(output)
    return output.getvalue()


def _prepare(file: File, title: str, tag: str) -> None:
    """Replace what python-docx's template says: author, paper, and fonts by theme."""
    about = file.core_properties
    about.title = title[:LONGEST_PROPERTY]
    about.author, about.comments = "Auricle", ""
    about.created = about.modified = datetime.now(UTC)
    section = file.sections[0]
    section.page_width, section.page_height = Mm(210), Mm(297)
    east_asian = EAST_ASIAN_FONTS.get(tag, EAST_ASIAN_FONTS["zh-CN"])
    for fonts in file.styles.element.iter(qn("w:rFonts")):
        fonts.attrib.clear()  # a theme's font would win over a named one
        for script in ("ascii", "hAnsi"):
            fonts.set(qn(f"w:{script}"), FONT)
        fonts.set(qn("w:eastAsia"), east_asian)
        fonts.set(qn("w:cs"), "Arial")


def _block(paragraph: Paragraph) -> BaseOxmlElement:
    writing = paragraph.writing
    block = OxmlElement("w:p")
    _direct(block, writing)
    # The time stays out of right-to-left runs: Word would turn its parts around.
    _add_run(block, f"[{paragraph.clock}] ", _time_properties())
    if paragraph.speaker:
        _write(block, f"{paragraph.speaker}: ", writing, bold=True)
    _write(block, paragraph.text, writing)
    return block


def _direct(block: BaseOxmlElement, writing: Writing) -> None:
    """Make a paragraph run right to left where its writing does (17.3.1.6)."""
    if writing.right_to_left:
        block.get_or_add_pPr().append(OxmlElement("w:bidi"))


def _write(block: BaseOxmlElement, text: str, writing: Writing, *, bold: bool = False) -> None:
    """Add a text, one run for each stretch of one direction."""
    for piece, right_to_left in directed(text, right_to_left=writing.right_to_left):
        along = writing if right_to_left == writing.right_to_left else None
        _add_run(block, piece, _properties(along, right_to_left=right_to_left, bold=bold))


def _add_run(block: BaseOxmlElement, text: str, properties: BaseOxmlElement) -> None:
    run = OxmlElement("w:r")
    written = OxmlElement("w:t")
    written.text = text
    written.set(qn("xml:space"), "preserve")
    run.extend((deepcopy(properties), written))
    block.append(run)


@cache
def _time_properties() -> BaseOxmlElement:
    run = OxmlElement("w:r")
    Font(run).color.rgb = GREY
    properties: BaseOxmlElement = run.get_or_add_rPr()
    return properties


@cache
def _properties(along: Writing | None, *, right_to_left: bool, bold: bool) -> BaseOxmlElement:
    """What a run says of itself; ``along`` is None for one that runs against its paragraph."""
    run = OxmlElement("w:r")
    font = Font(run)
    if bold:
        font.bold = font.cs_bold = True
    if right_to_left:
        font.rtl = True  # 17.3.2.30: only ever on text that is
    properties: BaseOxmlElement = run.get_or_add_rPr()
    if along:
        _typeset(font, properties, along)
    return properties


def _typeset(font: Font, properties: BaseOxmlElement, writing: Writing) -> None:
    """Name the font and the language in the slot of their kind (17.3.2.26 and 17.3.2.20)."""
    language = OxmlElement("w:lang")
    if writing.kind is Kind.SIMPLE:
        language.set(qn("w:val"), writing.tag)
    elif writing.kind is Kind.EAST_ASIAN:
        fonts = properties.get_or_add_rFonts()
        fonts.set(qn("w:eastAsia"), EAST_ASIAN_FONTS[writing.tag])
        fonts.set(qn("w:hint"), "eastAsia")  # for punctuation that Latin has too
        language.set(qn("w:eastAsia"), writing.tag)
    else:
        font.complex_script = True
        fonts = properties.get_or_add_rFonts()
        fonts.set(qn("w:cs"), COMPLEX_FONTS.get(writing.tag, INDIC_FONT))
        language.set(qn("w:bidi"), writing.tag)
    properties.append(language)  # the last of what is set here, as the schema wants it
