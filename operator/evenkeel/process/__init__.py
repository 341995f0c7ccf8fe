"""The process: settings, start and stop, servers."""
