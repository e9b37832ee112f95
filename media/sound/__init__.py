"""Sounds: measured, levelled, encoded, drawn."""
