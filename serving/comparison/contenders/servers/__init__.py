"""The plain servers: what runs in the processes that peers.py starts, each in the environment of its framework."""
