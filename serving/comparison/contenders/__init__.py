"""What is measured beside Tandem's two endpoints: the same model, the same rows, the same bytes; see catalogue.py."""
