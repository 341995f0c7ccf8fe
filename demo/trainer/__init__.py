"""Trains the demo's model as a Job and reports the result in the termination message."""
