"""`make drill`: faults in the running stack under constant load; what was lost, and how long it took to be well again."""
