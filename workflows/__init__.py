"""Workflows: what happens in which order. They do no I/O and know no FFmpeg."""
