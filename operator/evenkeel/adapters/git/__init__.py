"""Git repositories over HTTP: which revision of some data a branch has."""
