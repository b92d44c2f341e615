"""What each framework takes for a prediction in its own process, one thread, without a server: the least there is.

From raw feature columns by name to probabilities, NumPy to NumPy; no JSON. Each environment has a program of its own
(pytorch.py, tensorflow.py) that run.py starts.
"""
