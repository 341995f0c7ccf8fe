"""How requests are divided between revisions."""
