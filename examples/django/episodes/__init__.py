"""Episodes of a podcast, published by Longtake."""
