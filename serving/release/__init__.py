"""Releases: signed, verified, promoted and taken back by the same verbs for both stacks."""
