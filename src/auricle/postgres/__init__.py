"""The embedded PostgreSQL: one cluster, owned by one Auricle process.

The owner (the supervisor) holds it for as long as it runs::

    cluster = Cluster(settings.data / "database", settings.run_dir)
    with cluster.own() as mine:
        if mine is None:
            ...  # another process owns it: be its client, at address(settings.run_dir)

Everybody else asks :func:`address` and connects. An owner that runs an event loop looks after the
server from it; ``ensure`` blocks for as long as a recovery takes, so it goes to a thread::

    while True:
        await asyncio.sleep(1)
        await asyncio.to_thread(cluster.ensure)

Whichever thread calls, the server is started by a thread of the cluster's own, because Linux sends
the parent-death signal when the *thread* that forked ends.
"""

from auricle.postgres.address import Address, address
from auricle.postgres.cluster import Cluster

__all__ = ["Address", "Cluster", "address"]
