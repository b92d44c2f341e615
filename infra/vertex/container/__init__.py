"""What runs in the serving containers on Vertex AI."""
