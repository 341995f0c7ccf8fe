"""Rollouts of the real operator under the conditions of real clusters, each against its bound."""
