"""One-sample steps: arrays in, arrays out. No parallelism and no command line here."""
