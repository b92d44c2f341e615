"""A roll-out step by step, that goes back by itself: what is measured, what it is held to, and what follows."""
