"""From a command's arguments to steps."""
