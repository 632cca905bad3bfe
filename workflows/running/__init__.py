"""Steps over many samples: in this process, on a local cluster, on the user's."""
