"""Batches from shards, in an order that a seed decides."""
