"""The camera's own motion: its flow, and how it is found where nobody knows it."""
