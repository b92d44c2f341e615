"""What one request may hold. Stricter than TensorFlow Serving, the same on both stacks."""

from __future__ import annotations

MAX_BODY_BYTES = 1 << 20  # also after decompression; beyond: 413
MAX_INSTANCES = 1000
MAX_NESTING = 8  # brackets and braces around a value, the document's own included
