"""Where bytes stay while they are needed."""

from auricle.storage.uploads import Upload, Uploads, too_large

__all__ = ["Upload", "Uploads", "too_large"]
