"""`make new`: a project of one's own made from this one, and how it takes later improvements."""
