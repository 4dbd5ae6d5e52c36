"""The door: admit, submit, result. Every dialect comes through it, nothing else does.

Only plain records cross it.
"""

from auricle.desk.admission import FORM_BYTES
from auricle.desk.desk import Desk
from auricle.desk.requests import (
    Admission,
    Customer,
    Node,
    Peer,
    Report,
    Ticket,
    TranscriptionRequest,
)

__all__ = [
    "FORM_BYTES",
    "Admission",
    "Customer",
    "Desk",
    "Node",
    "Peer",
    "Report",
    "Ticket",
    "TranscriptionRequest",
]
