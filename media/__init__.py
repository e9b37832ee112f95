"""The FFmpeg engine: probe, plan, encode, assemble, verify. It knows nothing of Temporal."""
