"""The one internal protocol: calls with streamed events, from any process to a worker.

Engines live in worker processes only. A worker listens on a socket and writes its address, with
its models and device, into a registry that every serving process reads.
"""

from auricle.link.client import Link
from auricle.link.frames import WorkerInfo
from auricle.link.registry import Registry
from auricle.link.server import Call, Handler, serve

__all__ = ["Call", "Handler", "Link", "Registry", "WorkerInfo", "serve"]
