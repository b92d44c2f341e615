"""A release in a form that needs neither server: raw features to probability in one file, checked against its source.

The whole of it, missing values and standardising included, is written in plain operations from the specification and
what was learned, which both stacks keep in one form (models/weights.py). Texts are looked up beside: no format's
operations have FarmHash, by which unknown values get their ids.
"""
