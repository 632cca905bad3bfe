"""Resizing by kind: images, ids, depth, laser points, cameras."""
