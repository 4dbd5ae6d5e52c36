"""The languages that Whisper was trained on: its codes and their English names in lower case."""

from __future__ import annotations

from auricle.core.errors import UnknownLanguage

NAMES: dict[str, str] = {
    "en": "english", "zh": "chinese", "de": "german", "es": "spanish", "ru": "russian",
    "ko": "korean", "fr": "french", "ja": "japanese", "pt": "portuguese", "tr": "turkish",
    "pl": "polish", "ca": "catalan", "nl": "dutch", "ar": "arabic", "sv": "swedish",
    "it": "italian", "id": "indonesian", "hi": "hindi", "fi": "finnish", "vi": "vietnamese",
    "he": "hebrew", "uk": "ukrainian", "el": "greek", "ms": "malay", "cs": "czech",
    "ro": "romanian", "da": "danish", "hu": "hungarian", "ta": "tamil", "no": "norwegian",
    "th": "thai", "ur": "urdu", "hr": "croatian", "bg": "bulgarian", "lt": "lithuanian",
    "la": "latin", "mi": "maori", "ml": "malayalam", "cy": "welsh", "sk": "slovak",
    "te": "telugu", "fa": "persian", "lv": "latvian", "bn": "bengali", "sr": "serbian",
    "az": "azerbaijani", "sl": "slovenian", "kn": "kannada", "et": "estonian",
    "mk": "macedonian", "br": "breton", "eu": "basque", "is": "icelandic", "hy": "armenian",
    "ne": "nepali", "mn": "mongolian", "bs": "bosnian", "kk": "kazakh", "sq": "albanian",
    "sw": "swahili", "gl": "galician", "mr": "marathi", "pa": "punjabi", "si": "sinhala",
    "km": "khmer", "sn": "shona", "yo": "yoruba", "so": "somali", "af": "afrikaans",
    "oc": "occitan", "ka": "georgian", "be": "belarusian", "tg": "tajik", "sd": "sindhi",
    "gu": "gujarati", "am": "amharic", "yi": "yiddish", "lo": "lao", "uz": "uzbek",
    "fo": "faroese", "ht": "haitian creole", "ps": "pashto", "tk": "turkmen", "nn": "nynorsk",
    "mt": "maltese", "sa": "sanskrit", "lb": "luxembourgish", "my": "myanmar", "bo": "tibetan",
    "tl": "tagalog", "mg": "malagasy", "as": "assamese", "tt": "tatar", "haw": "hawaiian",
    "ln": "lingala", "ha": "hausa", "ba": "bashkir", "jw": "javanese", "su": "sundanese",
    "yue": "cantonese",
}  # fmt: skip
"""Code to name; ``yue`` only in models from large-v3 on."""

_CODES = {name: code for code, name in NAMES.items()}
_OTHER_NAMES = {
    "jv": "jw", "iw": "he", "in": "id", "nb": "no", "fil": "tl", "cmn": "zh", "mandarin": "zh",
    "castilian": "es", "flemish": "nl", "farsi": "fa", "burmese": "my", "valencian": "ca",
    "haitian": "ht", "letzeburgesch": "lb", "pushto": "ps", "panjabi": "pa",
    "moldavian": "ro", "moldovan": "ro", "sinhalese": "si",
}  # fmt: skip

UNSPACED = frozenset({"zh", "yue", "ja", "th", "lo", "my", "km", "bo"})
"""Languages written without blanks between words."""


def parse(value: str) -> str | None:
    """Read a language as people write it: a code, a code with a region, or an English name.

    Returns Whisper's code, or None for ``auto`` and for nothing at all (detect it).
    Raises :class:`UnknownLanguage` for anything else.
    """
    given = value.strip().lower().replace("_", "-")
    if given in ("", "auto"):
        return None
    for name in (given, given.partition("-")[0]):
        code = _OTHER_NAMES.get(name, _CODES.get(name, name))
        if code in NAMES:
            return code
    raise UnknownLanguage(
        f"Unknown language {value!r}. Send 'auto' or one of the codes that GET /v1/languages lists."
    )
