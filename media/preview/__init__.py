"""Previews: stills, storyboards, moving pictures."""
