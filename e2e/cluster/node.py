"""The built-in node (placeholder until its components are in)."""
from pathlib import Path
class Node:
    name = "builtin"
    def __init__(self, directory: Path) -> None:
        self.kubeconfig = directory / "kubeconfig"
