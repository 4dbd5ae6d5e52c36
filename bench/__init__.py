"""Measurements on the recordings of ../shared/speech: `make bench`, or `python -m bench NAME...`.

Each prints a table for people and ends in one line of JSON. Times on a shared machine mean little:
trust the ratios to a peer that ran in the same minutes, and the medians.
"""
