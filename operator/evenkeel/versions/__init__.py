"""How a model version qualifies: gates, champion, approval, lineage."""
