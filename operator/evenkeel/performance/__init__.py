"""How much a revision carries: load on a pod of its own, its figures, and what they recommend."""
