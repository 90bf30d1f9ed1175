"""The OpenAPI 3.1 document of everything that is mounted."""

from insula.http.openapi.document import Tag, document
from insula.http.openapi.endpoints import Endpoint, endpoints

__all__ = ["Endpoint", "Tag", "document", "endpoints"]
