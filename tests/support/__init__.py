"""What several test files need: import it as `support.<module>`."""
