"""What happens to webhooks themselves."""

from uuid import UUID

import msgspec

from insula.events import EventType


class EndpointDisabled(msgspec.Struct):
    id: UUID
    url: str
    reason: str
    """`gone`: the endpoint answered 410; `failing`: nothing was delivered for days; `manual`."""


class TestSent(msgspec.Struct):
    message: str


ENDPOINT_DISABLED = EventType(
    "webhooks.endpoint.disabled", EndpointDisabled, "A webhook was switched off."
)
TEST_SENT = EventType(
    "webhooks.test.sent", TestSent, "Somebody tries out a webhook; goes to that one only."
)
