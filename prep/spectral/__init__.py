"""Bands of light and vegetation indices."""
