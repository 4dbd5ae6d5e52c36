"""A whole installation in one file, and back: database, recordings, the signing secret.

The archive is a plain tar, so that what is in it can be looked at and saved by hand::

    manifest.json     who wrote it, when, from which database (:class:`archive.Manifest`)
    database.dump     pg_dump's custom format
    blobs/KEY         the recordings that the database names
    secret            the key that signs sessions, unless AURICLE_SECRET_KEY is set
    SHA256SUMS        of all of these, as ``sha256sum --check`` reads it; last, so that an archive
                      without it is one that was cut off

Models are not in it: ``auricle models pull`` brings them back.
"""

from auricle.backups.backup import Saved, backup
from auricle.backups.restore import Restored, restore

__all__ = ["Restored", "Saved", "backup", "restore"]
