from auricle.transcript import Word
from auricle.transcript.segments import LONGEST_S, split_words


def words(text: str, *, seconds: float = 0.4, speaker: str | None = None) -> list[Word]:
    return [
        Word(f" {word}", n * seconds, (n + 1) * seconds, 0.9, speaker)
        for n, word in enumerate(text.split())
    ]


def texts(spoken: list[Word]) -> list[str]:
    return [segment.text for segment in split_words(spoken)]


def test_a_sentence_ends_a_segment() -> None:
    assert texts(words("Hello there. How are you? Fine!")) == [
        "Hello there.",
        "How are you?",
        "Fine!",
    ]


def test_titles_initials_and_numbers_do_not_end_one() -> None:
    for text in ("I met Mr. Smith at J. Brown's", "It is 3.14 or so", "see e.g. this one"):
        assert texts(words(text)) == [text]


def test_a_pause_ends_a_segment() -> None:
    spoken = [Word(" one", 0, 1, 1), Word(" two", 2.5, 3, 1)]
    assert texts(spoken) == ["one", "two"]


def test_a_new_speaker_starts_a_segment() -> None:
    spoken = [Word(" yes", 0, 1, 1, "Speaker 1"), Word(" no", 1, 2, 1, "Speaker 2")]
    assert [segment.speaker for segment in split_words(spoken)] == ["Speaker 1", "Speaker 2"]


def test_endless_speech_is_cut_at_a_comma() -> None:
    spoken = words(("word " * 80 + "here, and ") * 2)
    first = split_words(spoken)[0]
    assert first.text.endswith("here,")
    assert first.end - first.start > LONGEST_S


def test_nothing_is_lost_and_chinese_needs_no_blanks() -> None:
    spoken = [Word(char, n, n + 1, 1) for n, char in enumerate("今天天气好。明天呢？")]
    assert texts(spoken) == ["今天天气好。", "明天呢？"]


def test_confidence_is_the_mean_of_the_words() -> None:
    segment = split_words([Word(" a", 0, 1, 0.5), Word(" b", 1, 2, 1.0)])[0]
    assert segment.confidence == 0.75
