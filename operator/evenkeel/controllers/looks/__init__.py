"""Looks at Prometheus, taken beside the reconciles."""
