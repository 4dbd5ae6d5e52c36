"""Work on text: summaries, analyses, content, answers, translations, embeddings.

A library without server or database. What loads a runtime (``llama``, ``embeddings``, ``entities``,
``pii``, ``sentiment``, ``translation``) is imported by the text worker alone.
"""
