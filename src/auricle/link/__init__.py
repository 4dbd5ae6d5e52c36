"""The one way from a serving process to an engine: calls with streamed events.

Engines live in worker processes only. A worker listens on a socket, and its address stands in its
row of the database. A call is one connection: hanging up gives it up, and a side that does not
read makes the other wait.
"""

from auricle.link.client import Conversation, ask, call
from auricle.link.server import Call, Handler, serve, socket_path

__all__ = ["Call", "Conversation", "Handler", "ask", "call", "serve", "socket_path"]
