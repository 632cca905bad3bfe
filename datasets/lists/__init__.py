"""Lists of samples in files: CSV, text, JSON lines, Parquet."""
