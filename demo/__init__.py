"""The demonstration: a real data stream with real drift, its trainer and its traffic."""
