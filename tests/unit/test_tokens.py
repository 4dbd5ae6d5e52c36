from pathlib import Path

import pytest

from auricle.speech.tokens import WhisperTokens


@pytest.fixture(scope="module")
def tokens(models_dir: Path) -> WhisperTokens:
    return WhisperTokens(models_dir / "base")


@pytest.mark.parametrize(
    ("language", "text", "words"),
    [
        ("en", " Hello, world. It's 3.14!", [" Hello,", " world.", " It's", " 3.14!"]),
        ("en", ' He said "no" (twice).', [" He", " said", ' "no"', " (twice)."]),
        ("en", " a well-known case", [" a", " well-known", " case"]),
        ("de", " Größe übt Maß", [" Größe", " übt", " Maß"]),
        ("zh", "今天天气好。Python很好", ["今", "天", "天", "气", "好。", "Python", "很", "好"]),
        ("ar", " مرحبا بالعالم", [" مرحبا", " بالعالم"]),
    ],
)
def test_text_is_cut_into_words(
    tokens: WhisperTokens, language: str, text: str, words: list[str]
) -> None:
    found = [word for word, _ in tokens.split_words(tokens.encode(text), language)]
    # A token may hold several Chinese characters: then they stay together.
    if language == "zh":
        assert "".join(found) == "".join(words)
        assert {"Python", "好。"} <= {*found} or "Python" in found
    else:
        assert found == words


@pytest.mark.parametrize("text", [" 😀 smile", " नमस्ते दुनिया", "สวัสดีครับ", " Tiếng Việt ạ", " ¿Qué?"])
@pytest.mark.parametrize("language", ["en", "th"])
def test_every_token_lands_in_exactly_one_word(
    tokens: WhisperTokens, text: str, language: str
) -> None:
    encoded = tokens.encode(text)
    words = tokens.split_words(encoded, language)
    assert sum(count for _, count in words) == len(encoded)
    assert "".join(word for word, _ in words) == text


def test_broken_characters_do_not_stop_it(tokens: WhisperTokens) -> None:
    encoded = tokens.encode(" 😀 ok")[1:]  # cut into the middle of the emoji
    words = tokens.split_words(encoded, "en")
    assert sum(count for _, count in words) == len(encoded)
    assert words[-1][0] == " ok"


def test_prompts_name_language_and_task(tokens: WhisperTokens) -> None:
    start = [tokens.control(name) for name in ("startoftranscript", "fr", "translate")]
    assert tokens.start_sequence("fr", "translate") == start
    assert tokens.prompt("fr", "translate") == [*start, tokens.control("notimestamps")]
    assert len(tokens.languages) == 99


def test_cantonese_is_heard_as_chinese_by_a_model_without_it(tokens: WhisperTokens) -> None:
    assert tokens.start_sequence("yue", "transcribe") == tokens.start_sequence("zh", "transcribe")


def test_a_long_prompt_keeps_its_end_and_leaves_room_to_decode(tokens: WhisperTokens) -> None:
    prompt = tokens.prompt("en", "transcribe", "word " * 1000 + "the end")
    assert prompt[0] == tokens.control("startofprev")
    assert len(prompt) <= 228
    assert "the end" in tokens.decode(prompt)
