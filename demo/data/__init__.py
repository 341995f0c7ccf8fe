"""Elec2, the New South Wales electricity market data set."""
