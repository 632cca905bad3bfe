"""Optical flow, ego flow and the motion image as steps, and labels of what moves."""
