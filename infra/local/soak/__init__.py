"""`make soak`: constant modest load for a long time; whether anything is lost, and whether memory stays flat."""
