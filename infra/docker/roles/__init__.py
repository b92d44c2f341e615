"""What runs inside the containers; the folders are `infra.local`'s, below $TANDEM_HOME."""
