"""What a file says of itself: tags, chapters, covers, and how loud it is."""
