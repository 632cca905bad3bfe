"""The samples of a workspace: found at the start, written as lists."""
