"""The trainer. Reads shards through `segprep.datasets`; knows nothing of how they were made."""
