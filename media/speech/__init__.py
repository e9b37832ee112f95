"""Speech to text: models, prepared sound, windows, and the child that listens."""
