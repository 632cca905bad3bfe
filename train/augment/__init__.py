"""Joint augmentation of batches on the device, by the same rules as `prep`'s."""
