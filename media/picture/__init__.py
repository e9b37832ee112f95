"""The picture's pixels on their way from the source to the encoder."""
