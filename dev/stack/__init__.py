"""Everything that a loop needs on a cluster, installed as a user would: chart and manifests."""
