"""FFmpeg: where it is, its commands, and the files that its filters read."""
