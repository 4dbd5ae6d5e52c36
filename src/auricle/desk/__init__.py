"""The door: admit, submit, result. Every dialect comes through it, nothing else does.

Only plain records cross it.
"""

from auricle.desk.admission import FORM_BYTES
from auricle.desk.desk import Desk
from auricle.desk.live import LiveCall
from auricle.desk.requests import (
    Admission,
    Customer,
    LiveRequest,
    Node,
    Peer,
    Reference,
    Report,
    Ticket,
    TranscriptionRequest,
)
from auricle.desk.voice import Sound

__all__ = [
    "FORM_BYTES",
    "Admission",
    "Customer",
    "Desk",
    "LiveCall",
    "LiveRequest",
    "Node",
    "Peer",
    "Reference",
    "Report",
    "Sound",
    "Ticket",
    "TranscriptionRequest",
]
