"""A Kubernetes cluster for tests and demonstrations: kind, an existing one, or a built-in node."""
