"""What marks a training template's fields of which each selects an engine."""

from __future__ import annotations

from evenkeel.meta.model import Model


class EngineTemplate(Model):
    """What one training engine is given; a training template has that of exactly one."""
