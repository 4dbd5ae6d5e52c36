"""Transcripts, from the moment in which they are asked for."""
