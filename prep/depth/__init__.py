"""Depth: completion, plausible range, normals, gravity, HHA."""
