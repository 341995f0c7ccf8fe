"""What development and tests run on: cluster, images, stack."""
