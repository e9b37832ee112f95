"""The page on which `longtake play` shows a package, and the server behind it."""
