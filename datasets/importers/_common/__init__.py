"""What importers share: sources, shapes, painting, classes and writing."""
