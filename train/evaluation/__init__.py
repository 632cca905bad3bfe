"""Predictions at the size of the original labels, scores, panels."""
