"""DOCX and PDF, read back by other programs' readers."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import docx
import pytest
from docx.oxml.ns import qn
from pypdf import PdfReader

from auricle.transcript import Transcript, Word
from auricle.transcript.export import FORMATS
from auricle.transcript.export.pages import PARAGRAPH_S, lay_out
from auricle.transcript.export.writing import directed, writing_of

MANY = [  # speaker, what they say, the font of the PDF
    ("An", "Chào buổi sáng, hôm nay có 15%.", "NotoSans-Regular"),
    ("أحمد", "في عام 2024 باعت شركة Apple الأجهزة.", "NotoSansArabic"),
    ("प्रिया", "नमस्ते, आज बैठक है।", "NotoSansDevanagari"),
    ("王伟", "大家好，今天讨论费用。", "NotoSansCJKsc"),
    ("陳小姐", "各位好，今天討論費用。", "NotoSansCJKtc"),
    ("田中", "おはようございます。", "NotoSansCJKjp"),
    ("민수", "안녕하세요 여러분.", "NotoSansCJKkr"),
    ("ชัย", "สวัสดีครับ", "NotoSansThai"),
    ("Ελένη", "Καλημέρα σας.", "NotoSans-Regular"),
    ("Иван", "Доброе утро.", "NotoSans-Regular"),
    ("דוד", "בוקר טוב לכולם.", "NotoSansHebrew"),
    ("রহিম", "শুভ সকাল।", "NotoSansBengali"),
    ("முரு", "காலை வணக்கம்.", "NotoSansTamil"),
]
HOSTILE = 'a #import "x.typ": * ] } $ \\u{41} <w:p/> & \x00\x0b\x1b \ufffe = end'


def said(*lines: tuple[str | None, str], language: str = "en", gap: float = 5.0) -> Transcript:
    words = tuple(
        Word(f" {text}", n * gap, n * gap + 2, 0.9, speaker)
        for n, (speaker, text) in enumerate(lines)
    )
    return Transcript(words, language, 1.0, len(lines) * gap, "base")


EVERYBODY = said(*((speaker, text) for speaker, text, _ in MANY))


def opened(transcript: Transcript, title: str = "") -> Any:
    return docx.Document(io.BytesIO(FORMATS["docx"].render(transcript, title)))


def pdf(transcript: Transcript, title: str = "") -> PdfReader:
    return PdfReader(io.BytesIO(FORMATS["pdf"].render(transcript, title)))


def fonts(reader: PdfReader) -> set[str]:
    """Base names of the embedded fonts, without the subset's tag."""
    return {name.partition("+")[2] for name in _base_fonts(reader)}


def _base_fonts(reader: PdfReader) -> Iterator[str]:
    for page in reader.pages:
        resources: Any = page["/Resources"]
        for font in resources["/Font"].values():
            yield str(font.get_object()["/BaseFont"])


def test_a_word_document_holds_everything_that_was_said() -> None:
    written = opened(EVERYBODY, "Réunion")
    heading, about, *paragraphs = (block.text for block in written.paragraphs)
    assert heading == written.core_properties.title == "Réunion"
    assert about == "Duration: 0:01:05 · Language: English · Model: base"
    assert paragraphs[0] == "[0:00:00] An: Chào buổi sáng, hôm nay có 15%."
    for paragraph, (speaker, text, _) in zip(paragraphs, MANY, strict=True):
        assert paragraph.endswith(f"{speaker}: {text}")


def test_only_names_are_bold() -> None:
    *_, block = opened(said(("An", "One."), ("Bo", "Two."))).paragraphs
    assert [(run.text, run.bold) for run in block.runs] == [
        ("[0:00:05] ", None), ("Bo: ", True), ("Two.", None),
    ]  # fmt: skip


def test_arabic_and_hebrew_run_right_to_left_and_nothing_else_does() -> None:
    _, _, *blocks = opened(EVERYBODY).paragraphs
    turned = {
        speaker
        for block, (speaker, _, _) in zip(blocks, MANY, strict=True)
        if block._p.find(f".//{qn('w:bidi')}") is not None
    }
    assert turned == {"أحمد", "דוד"}
    runs = [(run.text, run.font.rtl) for run in blocks[1].runs]
    assert runs == [
        ("[0:00:05] ", None), ("أحمد: ", True),
        ("في عام 2024 باعت شركة ", True), ("Apple", None), (" الأجهزة.", True),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "slot", "font", "tag"),
    [
        ("大家好，今天讨论费用。", "eastAsia", "Microsoft YaHei", "zh-CN"),
        ("各位好，今天討論費用。", "eastAsia", "Microsoft JhengHei", "zh-TW"),
        ("おはよう。", "eastAsia", "Yu Gothic", "ja-JP"),
        ("안녕하세요.", "eastAsia", "Malgun Gothic", "ko-KR"),
        ("नमस्ते।", "cs", "Nirmala UI", "hi"),
        ("صبح بخیر", "cs", "Arial", "ar"),
    ],
)
def test_every_script_names_its_font_and_language(
    text: str, slot: str, font: str, tag: str
) -> None:
    *_, block = opened(said((None, text))).paragraphs
    properties = block.runs[-1]._r.rPr
    assert properties.find(qn("w:rFonts")).get(qn(f"w:{slot}")) == font
    language = {"cs": "bidi"}.get(slot, slot)
    assert properties.find(qn("w:lang")).get(qn(f"w:{language}")) == tag


def test_a_pdf_holds_every_language_in_its_own_font() -> None:
    reader = pdf(EVERYBODY, "Réunion")
    text = "".join(page.extract_text() for page in reader.pages)
    assert reader.metadata is not None
    assert reader.metadata.title == "Réunion"
    assert "Duration: 0:01:05 · Language: English · Model: base" in text
    found = fonts(reader)
    for speaker, _, font in MANY:
        assert any(name.startswith(font) for name in found), speaker
    assert all(name.startswith("NotoSans") for name in found)
    # pypdf cannot put together the letters of scripts whose glyphs are put together themselves.
    for word in (
        "buổi",
        "नमस्ते",
        "大家好",
        "討論",
        "おはようございます",
        "안녕하세요",
        "Καλημέρα",
        "Доброе",
    ):
        assert word in text, word


def test_lines_from_right_to_left_keep_their_words_and_numbers() -> None:
    text = pdf(said((None, "היום 2025 טוב Google."))).pages[0].extract_text()
    line = text.splitlines()[2]
    assert {"היום", "2025", "טוב", "Google"} <= set(re.findall(r"\w+", line))
    assert re.search(r"0:00:00", line)


def test_lines_from_right_to_left_begin_on_the_right() -> None:
    places: dict[str, float] = {}

    def note(text: str, matrix: list[float], *_: Any) -> None:
        if clock := re.search(r"0:00:0\d", text):
            places[clock.group()] = matrix[4]  # from the left edge, in points

    page = pdf(said((None, "بوقت قصير"), (None, "Hello."))).pages[0]
    page.extract_text(visitor_text=note)
    middle = float(page.mediabox.width) / 2
    assert places["0:00:00"] > middle > places["0:00:05"]


@pytest.mark.parametrize("speaker", [None, HOSTILE])
def test_hostile_text_is_only_text(speaker: str | None) -> None:
    transcript = said((speaker, HOSTILE), ("B", "x"))
    shown = HOSTILE.translate(dict.fromkeys(map(ord, "\x00\x0b\x1b\ufffe"), "\ufffd"))
    assert shown in opened(transcript, HOSTILE).paragraphs[2].text
    text = " ".join(pdf(transcript, HOSTILE).pages[0].extract_text().split())
    assert 'a #import "x.typ": * ] } $ \\u{41} <w:p/> &' in text
    assert text.count("= end") == (3 if speaker else 2)


def test_a_word_without_end_stays_on_the_page() -> None:
    text = pdf(said((None, "a" * 300))).pages[0].extract_text()
    assert re.findall("a{9,}", text) == ["a" * 60] * 5
    text = pdf(said((None, "Yes.")), "x" * 300).pages[0].extract_text()
    assert re.findall("x{9,}", text) == ["x" * 30] * 10


@pytest.mark.parametrize("title", ["", "x" * 300])
def test_silence_has_a_heading_and_nothing_else(title: str) -> None:
    silence = Transcript((), "", 0.0, 3.0, "base")
    blocks = [block.text for block in opened(silence, title).paragraphs]
    assert blocks == [title or "Transcript", "Duration: 0:00:03 · Model: base"]
    assert "Duration: 0:00:03 · Model: base" in pdf(silence, title).pages[0].extract_text()


def test_pages_are_numbered() -> None:
    pages = pdf(said(*((f"{n % 2}", "word " * 60) for n in range(40)))).pages
    assert [page.extract_text().rstrip().endswith(f"{n} / {len(pages)}")
            for n, page in enumerate(pages, 1)] == [True] * len(pages)  # fmt: skip
    assert len(pages) > 1


def test_a_long_speech_is_cut_into_paragraphs_of_half_a_minute() -> None:
    speech = said(*(("An", f"Sentence {n}.") for n in range(30)), gap=3.0)
    paragraphs = lay_out(speech, "").paragraphs
    assert [p.clock for p in paragraphs] == ["0:00:00", "0:00:30", "0:01:00"]
    assert "".join(p.text for p in paragraphs).replace(" ", "") == speech.text.replace(" ", "")
    assert PARAGRAPH_S == 30


def test_a_paragraph_ends_where_the_script_changes_but_not_at_a_number() -> None:
    mixed = said((None, "おはよう。"), (None, "2025."), (None, "Good morning."), language="ja")
    tags = [(p.text, p.writing.tag) for p in lay_out(mixed, "").paragraphs]
    assert tags == [("おはよう。 2025.", "ja-JP"), ("Good morning.", "en")]


@pytest.mark.parametrize(
    ("text", "language", "tag"),
    [
        ("直接", "ja", "ja-JP"), ("直接", "zh", "zh-CN"), ("直接", "yue", "zh-HK"),
        ("直接", "ko", "ko-KR"), ("話題", "zh", "zh-TW"), ("صبح", "fa", "fa"), ("صبح", "en", "ar"),
        ("hello", "jw", "jv"), ("hello", "", "en"), ("123", "he", "he"), ("শুভ", "as", "as"),
    ],
)  # fmt: skip
def test_writing_follows_the_text_and_then_the_language(text: str, language: str, tag: str) -> None:
    assert writing_of(text, language).tag == tag


def test_a_name_from_the_other_side_does_not_turn_the_number_after_it() -> None:
    both = lay_out(said(("אב", "15 people came."), ("Bo", "15 אנשים")), "")
    assert [p.speaker for p in both.paragraphs] == ["אב\u200e", "Bo\u200f"]


def test_numbers_go_with_the_letters_before_them() -> None:
    assert directed("من iPhone 16 الى", right_to_left=True) == [
        ("من ", True), ("iPhone 16", False), (" الى", True),
    ]  # fmt: skip
    assert directed("said אב 7 times", right_to_left=False) == [
        ("said ", False), ("אב 7", True), (" times", False),
    ]  # fmt: skip
    assert directed("", right_to_left=True) == []


def test_other_formats_do_not_wait_for_the_typesetters() -> None:
    script = "import sys, auricle.transcript.export; print({'docx', 'typst'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == "set()\n"
