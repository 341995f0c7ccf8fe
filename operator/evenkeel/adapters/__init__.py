"""The outside world by protocol."""
