"""Weights in the files of TensorFlow and Keras: read by their public formats, nothing in them is executed."""
