"""The reconcile of a ModelDeployment."""
