"""The ledger: which cell is done, from what, and whether that still holds."""
