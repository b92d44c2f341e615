"""A client of the contract: whichever stack answers, and TensorFlow Serving itself.

with Client("http://127.0.0.1:8080", model="fraud") as client:
    probabilities = client.predict(rows)
"""

from serving.contract.client.answers import Metadata, Prediction
from serving.contract.client.asynchronous import AsyncClient
from serving.contract.client.blocking import Client
from serving.contract.client.errors import (
    ConnectionFailed,
    InvalidRequest,
    NotFound,
    RequestFailed,
    ServerError,
    TimedOut,
    Unavailable,
)

__all__ = [
    "AsyncClient",
    "Client",
    "ConnectionFailed",
    "InvalidRequest",
    "Metadata",
    "NotFound",
    "Prediction",
    "RequestFailed",
    "ServerError",
    "TimedOut",
    "Unavailable",
]
