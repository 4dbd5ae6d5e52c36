"""The voices that have names, and what a request means by one."""

from __future__ import annotations

from auricle.core.errors import BadRequest

LANGUAGES = {
    "a": "en-us",
    "b": "en-gb",
    "e": "es",
    "f": "fr",
    "i": "it",
    "p": "pt-br",
}
"""What Kokoro's voices speak, by the first letter of their names."""

VOICES = (
    *("af_alloy", "af_aoede", "af_bella", "af_heart", "af_jessica", "af_kore", "af_nicole"),
    *("af_nova", "af_river", "af_sarah", "af_sky"),
    *("am_adam", "am_echo", "am_eric", "am_fenrir", "am_liam", "am_michael", "am_onyx", "am_puck"),
    *("bf_alice", "bf_emma", "bf_isabella", "bf_lily"),
    *("bm_daniel", "bm_fable", "bm_george", "bm_lewis"),
    *("ef_dora", "em_alex", "ff_siwis", "if_sara", "im_nicola", "pf_dora", "pm_alex"),
)

OPENAI = {
    "alloy": "af_alloy",
    "ash": "am_michael",
    "ballad": "bm_george",
    "cedar": "am_fenrir",
    "coral": "af_bella",
    "echo": "am_echo",
    "fable": "bm_fable",
    "marin": "af_heart",
    "nova": "af_nova",
    "onyx": "am_onyx",
    "sage": "af_sarah",
    "shimmer": "af_nicole",
    "verse": "am_puck",
}
"""Voices that programs for OpenAI ask for, and those that stand in for them in English."""


def known(name: str) -> str:
    """A voice by its name, of ours or OpenAI's. Raises :class:`BadRequest`."""
    asked = name.strip().lower()
    if asked not in VOICES and asked not in OPENAI:
        raise BadRequest(
            f"Unknown voice {name[:50]!r}. Send one of: {', '.join((*OPENAI, *VOICES))}."
        )
    return asked


def spoken(language: str) -> str:
    """Which of :data:`LANGUAGES` a code means. Raises :class:`BadRequest`."""
    asked = language.strip().lower().replace("_", "-")
    for code in LANGUAGES.values():
        if asked in (code, code.partition("-")[0]):
            return code
    raise BadRequest(
        f"Unknown language {language[:20]!r}. Send one of: {', '.join(LANGUAGES.values())}."
    )


def choose(name: str, language: str) -> tuple[str, str]:
    """The voice that speaks, and the language that it speaks.

    A voice of ours speaks its own language unless another one is asked for. OpenAI's speak every
    language: for one that is not English, a voice of that language and the same sex stands in.
    """
    voice = OPENAI.get(name, name)
    own = LANGUAGES[voice[0]]
    if not language or name not in OPENAI or language.startswith("en"):
        return voice, language or own
    letter = next(each for each, code in LANGUAGES.items() if code == language)
    natives = [each for each in VOICES if each[0] == letter]
    return next((each for each in natives if each[1] == voice[1]), natives[0]), language
