"""Evenkeel: keeps machine-learning models in production on an even keel."""

__version__ = "0.1.0"
