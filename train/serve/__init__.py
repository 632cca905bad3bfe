"""A trained network as a server: pictures in, classes out, over HTTP, WebSocket and ROS 2."""
