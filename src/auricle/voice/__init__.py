"""Voices: taking noise out of recordings, and speaking texts. A plain library.

It imports inference runtimes: processes that serve HTTP load :mod:`auricle.voice.requests` and
:mod:`auricle.voice.formats` alone.
"""
