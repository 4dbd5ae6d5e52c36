import codecs
import csv
import io
import json

import srt
import webvtt
from hypothesis import given
from hypothesis import strategies as st

from auricle.transcript import Transcript, Word
from auricle.transcript.export import FORMATS
from auricle.transcript.export.subtitles import LINE_COLUMNS, LONGEST_S, columns, cues

TEXT = st.text(st.characters(categories=("L", "N"), max_codepoint=0xFFFF), min_size=1, max_size=60)
ENDS = st.sampled_from(["", "", "", ",", ".", "?"])


@st.composite
def transcripts(draw: st.DrawFn) -> Transcript:
    """Any words, in time order, some of them long, some far apart."""
    words: list[Word] = []
    clock = 0.0
    for text, end in draw(st.lists(st.tuples(TEXT, ENDS), max_size=40)):
        start = clock + draw(st.sampled_from([0.0, 0.0, 0.1, 0.9, 3.0]))
        clock = start + draw(st.sampled_from([0.01, 0.2, 0.5, 2.0]))
        words.append(Word(f" {text}{end}", round(start, 3), round(clock, 3), 0.9))
    return Transcript(tuple(words), "en", 1.0, clock + 1, "base")


def rendered(name: str, transcript: Transcript) -> str:
    return FORMATS[name].render(transcript, "").decode()


def spoken(text: str, seconds: float = 0.3) -> Transcript:
    words = [
        Word(f" {word}", n * seconds, (n + 1) * seconds, 0.9) for n, word in enumerate(text.split())
    ]
    return Transcript(tuple(words), "en", 1.0, len(words) * seconds, "base")


@given(transcripts())
def test_cues_hold_every_word_never_overlap_and_fit_the_screen(transcript: Transcript) -> None:
    laid_out = cues(transcript)
    squeezed = "".join("".join(cue.lines) for cue in laid_out).replace(" ", "")
    assert squeezed == transcript.text.replace(" ", "")
    for cue, following in zip(laid_out, laid_out[1:], strict=False):
        assert cue.end <= following.start
    for cue in laid_out:
        assert cue.start < cue.end
        assert all(columns(line) <= LINE_COLUMNS for line in cue.lines)
        # Only one word that is longer than the screen may need a third line.
        assert len(cue.lines) <= 2 or len("".join(cue.lines).split()) == 1


@given(transcripts())
def test_other_programs_read_our_srt(transcript: Transcript) -> None:
    read = list(srt.parse(rendered("srt", transcript)))
    assert [cue.content for cue in read] == ["\n".join(c.lines) for c in cues(transcript)]
    assert [cue.index for cue in read] == list(range(1, len(read) + 1))


@given(transcripts())
def test_other_programs_read_our_vtt(transcript: Transcript) -> None:
    read = webvtt.from_string(rendered("vtt", transcript))
    assert len(read) == len(cues(transcript))


def test_a_long_sentence_is_cut_where_it_is_punctuated() -> None:
    text = (
        "In short, the period was so far like the present period, that some of its noisiest "
        "authorities insisted on its being received, for good or for evil."
    )
    first, *_ = cues(spoken(text))
    assert " ".join(first.lines).endswith("present period,")
    assert first.end - first.start <= LONGEST_S


def test_no_word_is_left_alone_in_a_last_cue() -> None:
    text = "produced the block books which were the immediate predecessors of the true printed book"
    assert all(len(" ".join(cue.lines).split()) > 3 for cue in cues(spoken(text)))


def test_a_short_cue_stays_long_enough_to_be_read() -> None:
    words = (Word(" Yes.", 1.0, 1.1, 1), Word(" No.", 5.0, 5.1, 1))
    first, second = cues(Transcript(words, "en", 1.0, 5.2, "base"))
    assert first.end - first.start > 0.8
    assert second.end == 5.2  # not beyond the end of the recording


def test_wide_characters_count_twice() -> None:
    assert columns("你好") == 4
    assert columns("e\u0301") == 1


def test_vtt_escapes_what_would_be_markup() -> None:
    assert "a &lt;b&gt; &amp; c" in rendered("vtt", spoken("a <b> & c"))


def test_speakers_are_named_when_there_are_several() -> None:
    words = (Word(" Hi.", 0, 1, 1, "Speaker 1"), Word(" Ho.", 2, 3, 1, "Speaker 2"))
    both = Transcript(words, "en", 1.0, 3.0, "base")
    assert "Speaker 2: Ho." in rendered("srt", both)
    assert "<v Speaker 1>Hi." in rendered("vtt", both)
    assert rendered("txt", both) == "Speaker 1: Hi.\nSpeaker 2: Ho.\n"


def test_json_holds_everything() -> None:
    found = json.loads(rendered("json", spoken("Good morning. Grüß Gott.")))
    assert found["text"] == "Good morning. Grüß Gott."
    assert [segment["text"] for segment in found["segments"]] == ["Good morning.", "Grüß Gott."]
    assert found["segments"][0]["words"][1] == {
        "word": "morning.", "start": 0.3, "end": 0.6, "probability": 0.9,
    }  # fmt: skip


def test_silence_renders_as_nothing() -> None:
    silence = Transcript((), "", 0.0, 3.0, "base")
    assert rendered("txt", silence) == ""
    assert rendered("srt", silence) == ""
    assert rendered("vtt", silence) == "WEBVTT\n"
    assert rendered("csv", silence) == "\ufeffstart,end,speaker,text,confidence\r\n"


def test_a_spreadsheet_reads_the_table_as_text() -> None:
    cells = ['=HYPERLINK("http://x")', "+1", "-2", "@SUM(A1)", "Grüß Gott, 你好", 'a "b"\nc']
    words = [Word(f" {cell}", n, n + 0.5, 0.25, "\t=1") for n, cell in enumerate(cells)]
    # A second apart, so that each is a segment.
    words = [Word(w.text, w.start * 3, w.end * 3, w.probability, w.speaker) for w in words]
    written = FORMATS["csv"].render(Transcript(tuple(words), "en", 1.0, 20, "base"), "")
    assert written.startswith(codecs.BOM_UTF8)
    assert written.count(b"\r\n") == len(cells) + 1
    header, *rows = csv.reader(io.StringIO(written.decode("utf-8-sig"), newline=""))
    assert header == ["start", "end", "speaker", "text", "confidence"]
    assert [row[3] for row in rows] == [*(f"'{cell}" for cell in cells[:4]), *cells[4:]]
    assert rows[1] == ["3.000", "4.500", "'\t=1", "'+1", "0.2500"]
