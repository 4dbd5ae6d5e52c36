"""The speech engine as a plain library: no server, no database.

    blocks of samples -> voice activity -> windows -> batches -> tokens -> guards -> word times

>>> with MediaPool() as media, open("talk.mp3", "rb") as file:                      # doctest: +SKIP
...     engine = load_engine(folder_of_a_model)
...     transcript = transcribe(media.decode(file, max_seconds=3600), engine, SpeechOptions())
"""

from auricle.speech.options import SpeechOptions
from auricle.speech.pipeline import Progress, transcribe

__all__ = ["Progress", "SpeechOptions", "transcribe"]
