"""Kubernetes' own vocabulary: objects, conditions, names, times, plans."""
