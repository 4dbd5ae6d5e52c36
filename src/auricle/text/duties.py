"""Who is to do something and until when, read off the sentence that says so, in six languages."""

from __future__ import annotations

import re

from auricle.text.source import Piece

DAYS = {
    "en": "(?:mon|tues|wednes|thurs|fri|satur|sun)day",
    "es": "(?:lunes|martes|miércoles|jueves|viernes|sábado|domingo)",
    "pt": "(?:segunda|terça|quarta|quinta|sexta|sábado|domingo)(?:-feira)?",
    "fr": "(?:lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche)",
    "de": "(?:montag|dienstag|mittwoch|donnerstag|freitag|samstag|sonntag)",
    "it": "(?:lunedì|martedì|mercoledì|giovedì|venerdì|sabato|domenica)",
}
"""Days of the week, by language."""

_DUE = {
    "en": r"(?:by|until|before|on|for) (?:the end of (?:the )?\w+|noon|next \w+|DAY)"
    r"|tomorrow|tonight|next (?:week|month)",
    "es": r"(?:antes del?|hasta|para|el) (?:el )?(?:fin de \w+|DAY)|mañana",
    "pt": r"(?:até|para|na|no) (?:(?:ao?|à) )?(?:fim d[aeo] \w+|DAY)|amanhã",
    "fr": r"(?:avant|d'ici|jusqu'à|pour)(?: l[ae])? (?:fin \w+|DAY)|demain",
    "de": r"(?:bis|vor|am|für)(?: zum| nächsten?| spätestens)? (?:ende \w+|DAY)|morgen",
    "it": r"(?:entro|prima di|per)(?: il| la)? (?:fine \w+|DAY)|domani",
}
"""Until when; on which day."""

_OWNER = {
    "en": r"^NAME(?:, .*\b(?:you|please)| (?:will|shall|must|should|needs to|has to|is going to))\b"
    r"|\bthat NAME (?:takes|will|shall|should)\b",
    "es": r"^NAME(?:, .*(?:\?|por favor)| (?:va a|tiene que|se encarga)\b)"
    r"|\bque NAME (?:se encarga|va a)\b",
    "pt": r"^(?:[OA] )?NAME(?:, .*(?:\?|por favor)| (?:vai|tem de|tem que|precisa de|fica|trata)\b)"
    r"|\bque (?:[oa] )?NAME (?:trata|vai|fica)\b",
    "fr": r"^NAME(?:, .*(?:\?|s'il)| (?:va|doit|s'occupe)\b)|\bque NAME (?:va|doit|s'occupe)\b",
    "de": r"^(?!(?:Das|Dies|Es|Man|Der|Die|Wer|Er|Sie|Bitte)\b)"
    r"NAME(?:, .*(?:\?|bitte)| (?:\w+t|muss|soll|wird)\b)|\bdass NAME (?:sich|das|es)\b",
    "it": r"^NAME(?:, .*(?:\?|per favore)| (?:va|deve|si occupa)\b)"
    r"|\bche NAME (?:si occupa|deve|va)\b",
}
"""Who is named before what there is to do, or is spoken to."""

_NAME = r"([A-ZÀ-Ý][\w'-]+)"

_MYSELF = re.compile(r"(?i)\b(?:I|ich|eu|vou|yo|me encargo|voy|je|io|me ne occupo|vado)\b|\bj['’]")
"""Who says this is to do it."""


def due_of(piece: Piece, language: str) -> str | None:
    """Until when something is to be done, in the sentence's words."""
    form = _DUE.get(language, "(?!)").replace("DAY", DAYS.get(language, ""))
    found = re.search(rf"\b(?:{form})\b", piece.text, re.IGNORECASE)
    return found[0] if found else None


def owner_of(piece: Piece, language: str) -> str | None:
    """Who is to do it: who is named as the one, or who says "I"."""
    found = re.search(_OWNER.get(language, "(?!)").replace("NAME", _NAME), piece.text)
    name = next(filter(None, found.groups()), None) if found else None
    return name or (piece.speaker if _MYSELF.search(piece.text) else None)
