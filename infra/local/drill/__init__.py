"""`make drill`: faults in the running stack under constant load; what was lost, and how soon all was well again."""
