"""From counts over evidence to a verdict, and from indicators to PromQL."""
