"""What identifies people: found by patterns and check digits, names by a model where there is one.

The patterns are Presidio's, and three of our own where it has none; with them go those of six
languages' countries, whatever the language of the text: people read foreign numbers aloud too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import msgspec
from presidio_analyzer import Pattern, PatternRecognizer, RecognizerResult
from presidio_analyzer import predefined_recognizers as presidio
from presidio_analyzer.entity_recognizer import EntityRecognizer

from auricle.text.llm import Tick
from auricle.text.named import Finder

SURE = 0.4
"""Presidio's score from which a pattern counts by itself."""

MAYBE = 0.05
"""The same where a word before it says what it is ("my social security number is ...")."""

BEFORE = 60
"""Characters before a number in which such a word may stand."""

LONGEST = 20_000
"""Characters that are looked at together; longer texts are cut at line ends or blanks."""

REGIONS = ("US", "GB", "ES", "PT", "BR", "FR", "DE", "AT", "IT", "MX", "AR")
"""Countries whose phone numbers are known without their prefix."""


class Span(msgspec.Struct, frozen=True):
    """Something that identifies somebody."""

    start: int
    """Characters from the beginning of the original text."""
    end: int
    type: str
    placeholder: str
    score: float


class Redacted(msgspec.Struct, frozen=True):
    """A text with placeholders, and what they stand for."""

    text: str
    spans: list[Span]
    names: bool
    """Whether names of people and places were looked for: models know them in six languages."""


class _Cpf(PatternRecognizer):
    """Brazil's taxpayer number, by its two check digits."""

    def __init__(self) -> None:
        pattern = Pattern("cpf", r"\b\d{3}\.?\d{3}\.?\d{3}-?\d{2}\b", 0.1)
        super().__init__("BR_CPF", patterns=[pattern], supported_language="pt")

    def validate_result(self, pattern_text: str) -> bool:
        digits = [int(d) for d in pattern_text if d.isdigit()]
        sums = [sum((n + 1 - i) * digits[i] for i in range(n)) for n in (9, 10)]
        return len(set(digits)) > 1 and digits[9:] == [s * 10 % 11 % 10 for s in sums]


class _Nir(PatternRecognizer):
    """France's social security number, by its key."""

    def __init__(self) -> None:
        form = r"\b[12] ?\d{2} ?(?:0[1-9]|1[0-2]) ?\d{2} ?\d{3} ?\d{3} ?\d{2}\b"
        super().__init__("FR_NIR", patterns=[Pattern("nir", form, 0.1)], supported_language="fr")

    def validate_result(self, pattern_text: str) -> bool:
        digits = re.sub(r"\D", "", pattern_text)
        return 97 - int(digits[:13]) % 97 == int(digits[13:])


class _Nif(PatternRecognizer):
    """Portugal's taxpayer number: its check digit is weak, so a word must say what it is."""

    def __init__(self) -> None:
        super().__init__(
            "PT_NIF",
            patterns=[Pattern("nif", r"\b[1-35689]\d{2} ?\d{3} ?\d{3}\b", 0.1)],
            context=["nif", "contribuinte", "taxpayer"],
            supported_language="pt",
        )

    def invalidate_result(self, pattern_text: str) -> bool:
        digits = [int(d) for d in pattern_text if d.isdigit()]
        check = 11 - sum((9 - i) * digits[i] for i in range(8)) % 11
        return digits[8] != (0 if check > 9 else check)


class _TaxId(presidio.DeTaxIdRecognizer):
    """Germany's taxpayer number, with the blanks that it is written with."""

    def __init__(self) -> None:
        form = r"\b[1-9]\d ?\d{3} ?\d{3} ?\d{3}\b"
        super().__init__(patterns=[Pattern("tax id", form, 0.5)])

    def validate_result(self, pattern_text: str) -> bool:
        return bool(super().validate_result(pattern_text.replace(" ", "")))


class _SocialSecurity(presidio.DeSocialSecurityRecognizer):
    """Germany's social security number, likewise."""

    def __init__(self) -> None:
        form = r"\b\d{2} ?\d{6} ?[A-Z] ?\d{3}\b"
        super().__init__(patterns=[Pattern("number", form, 0.5)])

    def validate_result(self, pattern_text: str) -> bool:
        return bool(super().validate_result(pattern_text.replace(" ", "")))


class _Mail(PatternRecognizer):
    """E-mail addresses. Presidio's own asks a list of top-level domains that it would download."""

    def __init__(self) -> None:
        form = r"\b[\w.!#$%&'*+/=?^`{|}~-]+@[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,}\b"
        super().__init__("EMAIL_ADDRESS", patterns=[Pattern("mail", form, 0.9)])


NEED_A_WORD = frozenset({"UK_NHS", "US_PASSPORT", "US_ITIN", "DE_ID_CARD", "IT_IDENTITY_CARD"})
"""Numbers that look like many others: they count only where a word says what they are."""

_DOT = r" (?:dot|punto|ponto|point|punkt) "
_SPOKEN_MAIL = re.compile(
    rf"\b[a-z0-9_-]+(?:{_DOT}[a-z0-9_-]+)*"
    rf" (?:at|ät|arroba|arobase|chiocciola) [a-z0-9-]+(?:{_DOT}[a-z0-9-]+)+\b",
    re.IGNORECASE,
)


@cache
def _recognizers() -> tuple[EntityRecognizer, ...]:
    return (
        _Mail(),
        presidio.CreditCardRecognizer(),
        presidio.IbanRecognizer(),
        presidio.IpRecognizer(),
        presidio.PhoneRecognizer(supported_regions=REGIONS, leniency=1),
        presidio.UsSsnRecognizer(),
        presidio.UsItinRecognizer(),
        presidio.UsPassportRecognizer(),
        presidio.NhsRecognizer(),
        presidio.UkNinoRecognizer(),
        presidio.EsNifRecognizer(),
        presidio.EsNieRecognizer(),
        presidio.ItFiscalCodeRecognizer(),
        presidio.ItIdentityCardRecognizer(),
        _TaxId(),
        _SocialSecurity(),
        presidio.DeIdCardRecognizer(),
        _Cpf(),
        _Nir(),
        _Nif(),
    )


def redact(text: str, names: Finder | None, tick: Tick = lambda: None) -> Redacted:
    """Put placeholders where a text identifies somebody; ``names`` where a model knows them.

    ``tick`` is called now and then, and may raise to stop it.
    """
    found: list[Span] = []
    for offset, part in _parts(text):
        tick()
        found += [
            Span(offset + span.start, offset + span.end, span.type, span.placeholder, span.score)
            for span in _find(part, names)
        ]
    shown, at = [], 0
    for span in found:
        shown += [text[at : span.start], span.placeholder]
        at = span.end
    return Redacted("".join([*shown, text[at:]]), found, names is not None)


def _parts(text: str) -> Iterator[tuple[int, str]]:
    at = 0
    while at < len(text):
        end = at + LONGEST
        if end < len(text):
            cut = max(text.rfind("\n", at + 1, end), text.rfind(". ", at + 1, end) + 1)
            end = cut if cut > at else end
        yield at, text[at:end]
        at = end


def _find(text: str, names: Finder | None) -> list[Span]:
    found = [_span(each.start, each.end, each.entity_type, each.score) for each in _numbers(text)]
    found += [_span(m.start(), m.end(), "EMAIL_ADDRESS", 0.6) for m in _SPOKEN_MAIL.finditer(text)]
    if names is not None:
        for named in next(iter(names.find([text]))):
            if named.kind in ("person", "place"):
                kind = {"person": "PERSON", "place": "LOCATION"}[named.kind]
                found.append(_span(named.start, named.end, kind, 0.5))
    return _apart(found)


_NO_ARTIFACTS: Any = None
"""What a language model would have to say of a text: patterns do not ask."""


def _numbers(text: str) -> Iterator[RecognizerResult]:
    for recognizer in _recognizers():
        wanted = recognizer.supported_entities
        for each in recognizer.analyze(text, wanted, _NO_ARTIFACTS) or ():
            before = text[max(0, each.start - BEFORE) : each.start].casefold()
            named = any(word.casefold() in before for word in recognizer.context or ())
            sure = each.score >= SURE and each.entity_type not in NEED_A_WORD
            if sure or (named and each.score >= MAYBE):
                yield each


def _span(start: int, end: int, kind: str, score: float) -> Span:
    return Span(start, end, kind, f"[{kind}]", round(score, 2))


def _apart(spans: Sequence[Span]) -> list[Span]:
    """Spans in their order, none over another: the surest and longest ones stay."""
    kept: list[Span] = []
    for span in sorted(spans, key=lambda s: (-s.score, s.start - s.end)):
        if all(span.end <= other.start or span.start >= other.end for other in kept):
            kept.append(span)
    return sorted(kept, key=lambda span: span.start)
