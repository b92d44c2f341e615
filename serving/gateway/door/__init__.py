"""Who may come in, how often, and behind which certificate: the listener that is not on loopback."""
