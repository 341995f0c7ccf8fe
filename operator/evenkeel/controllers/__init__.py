"""One reconcile a kind: observe, then plan."""
