"""Stores from the table: planned, written, repaired."""
