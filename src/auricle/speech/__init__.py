"""The speech engine as a plain library: no server, no database.

    blocks of samples -> voice activity -> windows -> scheduler and engine -> guards -> word times

>>> from auricle.media import MediaPool
>>> from auricle.speech import SpeechOptions
>>> from auricle.speech.engines.cpu import CPUEngine
>>> from auricle.speech.pipeline import EngineAccess, transcribe
>>> with MediaPool() as media, open("talk.mp3", "rb") as file:              # doctest: +SKIP
...     access = EngineAccess(CPUEngine("base", folder, threads=2))
...     transcribe(media.decode(file, max_seconds=3600), access, SpeechOptions()).text

Only the options are exported from here: importing them must not load an inference runtime.
"""

from auricle.speech.options import LiveOptions, SpeechOptions, Task, Timing

__all__ = ["LiveOptions", "SpeechOptions", "Task", "Timing"]
