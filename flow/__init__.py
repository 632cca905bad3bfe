"""Motion: arrays in, arrays out."""
