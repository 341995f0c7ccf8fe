"""Registries of models: whether they can be asked, and what is served of them."""
