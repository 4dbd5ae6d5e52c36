"""The door: every dialect comes through it, and nothing else does.

    admit (may they, how much?) -> submit (is it a recording?) -> result

Only frozen dataclasses cross it, and it knows no wire format.
"""

from auricle.desk.desk import Admission, Desk, Job, Node, TranscriptionRequest

__all__ = ["Admission", "Desk", "Job", "Node", "TranscriptionRequest"]
