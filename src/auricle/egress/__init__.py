"""The one way to addresses that users name: webhook endpoints, recordings, private instances.

A server that fetches what it is told to can be sent into the network that it stands in. So a URL
is checked, its name resolved once, every answer judged, and the connection made to exactly the
addresses that passed; each redirect goes the same way. Nothing here waits or reads without end.
"""

from auricle.egress.client import Reply, client, exchange, fetch_small
from auricle.egress.guard import Checked, Guard
from auricle.egress.transport import connect
from auricle.egress.webhooks import Delivery, deliver, new_secret, signed

__all__ = [
    "Checked",
    "Delivery",
    "Guard",
    "Reply",
    "client",
    "connect",
    "deliver",
    "exchange",
    "fetch_small",
    "new_secret",
    "signed",
]
