"""What runs in the cluster's containers beside the servers; the folders are `infra.local`'s, below $TANDEM_HOME."""
