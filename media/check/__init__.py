"""A checker of HLS and DASH packages: read the files, decode keyframes, apply the rules."""
