"""How a training runs, and what came of it."""
