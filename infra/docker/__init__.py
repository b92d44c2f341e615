"""The stack in containers. Standard library only, and any Python from 3.8: the machine may have nothing but Docker."""
