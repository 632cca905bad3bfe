"""A trained network behind HTTP, and as a node of ROS."""
