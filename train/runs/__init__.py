"""The folder of a run, its log and curves, its processes."""
