"""Measurements side by side with what people do by hand: `python -m bench`. See README.md."""
