"""Servers of MLflow 3: what its registry has, and what it is told; one file a question."""
