"""Joint augmentation of one sample in memory, by kind."""
