"""`prep check`: what is wrong with a dataset, file by file and as a whole."""
