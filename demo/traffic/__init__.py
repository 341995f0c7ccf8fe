"""Replays the stream through the served model and measures what comes back."""
