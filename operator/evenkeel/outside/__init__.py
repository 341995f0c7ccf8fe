"""What systems outside the cluster are asked, and what they answer; one file a system."""
