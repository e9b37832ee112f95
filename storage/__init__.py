"""Where bytes live: sources, outputs, the host's cache and the work store."""
