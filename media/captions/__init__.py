"""Captions: read from every kind of file and stream, and written."""
