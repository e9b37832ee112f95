"""Children that touch media: started, shut in, watched, asked, and ended."""
