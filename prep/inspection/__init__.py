"""What can be said of a file without changing it: facts, label shares, likeness."""
