"""Who speaks when: speaker diarization as a plain library, without PyTorch.

    blocks of samples -> windows of 10 s -> voices in each -> their prints -> clusters -> turns

>>> from auricle.speech.diarization.diarizer import SpeakerDiarizer
>>> session = SpeakerDiarizer(folder).session()                            # doctest: +SKIP
>>> session.feed(samples)                                                  # doctest: +SKIP
>>> session.finish().turns                                                 # doctest: +SKIP

Another diarizer can take its place: :mod:`auricle.speech.diarization.protocol` is all that is asked
of it.
"""
