"""What the datasets in Cityscapes' layout share."""
