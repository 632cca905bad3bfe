"""What recordings of depth cameras share."""
