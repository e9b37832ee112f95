"""Streaming packages: the ladder, its renditions, and what players read of them."""
