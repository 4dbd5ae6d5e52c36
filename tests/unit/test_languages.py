import pytest

from auricle.core.errors import UnknownLanguage
from auricle.transcript.languages import NAMES, parse


@pytest.mark.parametrize(
    ("asked", "code"),
    [("en", "en"), ("EN-us", "en"), ("pt_BR", "pt"), ("German", "de"), ("zh-CN", "zh"),
     ("haitian creole", "ht"), ("jv", "jw"), ("yue", "yue"), ("iw", "he")],
)  # fmt: skip
def test_people_write_languages_in_many_ways(asked: str, code: str) -> None:
    assert parse(asked) == code


@pytest.mark.parametrize("asked", ["auto", "", "  AUTO "])
def test_auto_means_find_out(asked: str) -> None:
    assert parse(asked) is None


@pytest.mark.parametrize("asked", ["klingon", "xx", "e", "12"])
def test_an_unknown_language_says_where_the_list_is(asked: str) -> None:
    with pytest.raises(UnknownLanguage, match="GET /v1/languages"):
        parse(asked)


def test_whisper_knows_99_languages_and_cantonese_since_large_v3() -> None:
    assert len(NAMES) == 100
    assert set(NAMES) > {"en", "zh", "yue"}
