"""The speech engine as a plain library: no server, no database.

    blocks of samples -> voice activity -> windows -> batches -> tokens -> guards -> word times

>>> from auricle.media import MediaPool
>>> from auricle.speech import SpeechOptions
>>> from auricle.speech.engines.ctranslate2 import CTranslate2Engine
>>> from auricle.speech.pipeline import transcribe
>>> with MediaPool() as media, open("talk.mp3", "rb") as file:              # doctest: +SKIP
...     engine = CTranslate2Engine("base", folder, threads=2)
...     transcribe(media.decode(file, max_seconds=3600), engine, SpeechOptions()).text

Only the options are exported from here: importing them must not load an inference runtime.
"""

from auricle.speech.options import SpeechOptions, Task

__all__ = ["SpeechOptions", "Task"]
