"""One file into another: planned, encoded in chunks, joined, and proven."""
