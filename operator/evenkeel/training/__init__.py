"""How a training runs, and what came of it."""

from evenkeel.training.engines import engine_of, run_labels, run_of, watches

__all__ = ["engine_of", "run_labels", "run_of", "watches"]
