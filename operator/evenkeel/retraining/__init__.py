"""Why and when a model is trained again."""
