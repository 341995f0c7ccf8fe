"""What is known of pods, whoever runs them: shape, security, overlays, and what ails them."""
