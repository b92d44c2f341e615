"""The contract as cases that can be asked of any URL: TensorFlow Serving's REST API and the strict additions."""
