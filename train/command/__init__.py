"""What the commands of `train` do."""
