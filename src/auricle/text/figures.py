"""Dates, sums and percentages, by their form, in six languages: where no model finds names."""

from __future__ import annotations

import re
from collections.abc import Iterator

from auricle.text.duties import DAYS
from auricle.text.source import Piece, Source

_NUMBER = r"\d+(?:[.,]\d+)*"
_MANY = r"(?: (?:mil|million\w*|milh\w+|millon\w+|milion\w+|mio\.?|tausend|thousand))?(?: d[ei])?"
_COIN = (
    r"(?:€|£|\$|euros?|dollars?|dólar\w*|dollari|reais|pesos?|libras?|livres?|sterline|pounds?"
    r"|pfund|franken|francs?|francos?|cents?|cêntimos?|céntimos?)"
)
_MONTH = (
    r"(?:jan(?:uary|uar|eiro|vier)|enero|gennaio|feb(?:ruary|ruar|rero|braio)|fevereiro|février"
    r"|march|märz|mars|março|marzo|april|abril|avril|aprile|may|mai|maio|mayo|maggio|june|juni|juin"
    r"|junho|junio|giugno|july|juli|juillet|julho|julio|luglio|august|août|agosto|september"
    r"|septembre|setembro|septiembre|settembre|october|oktober|octobre|outubro|octubre|ottobre"
    r"|november|novembre|novembro|noviembre|december|dezember|décembre|dezembro|diciembre|dicembre)"
)
_FORMS = {
    "money": rf"(?:[€£$]|R\$) ?{_NUMBER}|{_NUMBER}{_MANY} ?{_COIN}(?!\w)",
    "percent": rf"{_NUMBER} ?(?:%|prozent|percent|(?:per|por|pour) ?(?:cento?|ciento))",
    "date": rf"\b(?:\d{{1,2}}(?:[.º°]|er|st|nd|rd|th)? (?:de |of )?{_MONTH}"
    r"(?:,? (?:de |del )?\d{4})?"
    rf"|{_MONTH} \d{{1,2}}(?:,? \d{{4}})?|\d{{4}}-\d\d-\d\d|\d{{1,2}}[./]\d{{1,2}}[./]\d{{2,4}}"
    rf"|{'|'.join(DAYS.values())})\b",
}
_KINDS = {kind: re.compile(form, re.IGNORECASE) for kind, form in _FORMS.items()}


def figures(source: Source) -> Iterator[tuple[str, str, Piece]]:
    """What is found, of which kind, and where."""
    for piece in source.pieces:
        for kind, form in _KINDS.items():
            for found in form.finditer(piece.text):
                yield found[0], kind, piece
