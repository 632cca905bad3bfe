"""Trained networks as files of other runtimes, and how long they take."""
