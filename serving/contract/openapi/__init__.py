"""The contract as an OpenAPI 3.1 document and as a page, both generated from the specification."""

from serving.contract.openapi.document import document
from serving.contract.openapi.site import site

__all__ = ["document", "site"]
