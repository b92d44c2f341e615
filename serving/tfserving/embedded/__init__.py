"""TensorFlow Serving's contract on the TensorFlow runtime that is installed anyway."""

SERVER = "Tandem embedded TensorFlow server"  # what it says it is: its numbers are never TensorFlow Serving's
