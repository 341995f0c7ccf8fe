"""Builds container images without a registry."""
