"""When a revision takes over."""
