"""Where uploads and recordings lie."""

from auricle.storage.blobs import Blobs
from auricle.storage.uploads import Upload, Uploads, too_large

__all__ = ["Blobs", "Upload", "Uploads", "too_large"]
