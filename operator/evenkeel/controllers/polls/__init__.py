"""Questions to systems outside the cluster, asked beside the reconciles."""
