"""The one HTTP client with which Insula calls others.

Where it calls is said by tenants (webhooks, feeds, imports), so it must not be led to what only
this machine's network can reach: every address that a name has is checked and the connection goes
to one of those checked, redirects are not followed, sizes and times are bounded.

    answer = await egress.request("GET", "https://example.com/feed.xml", max_bytes=5 << 20)

Handlers and jobs ask for it by the name ``egress``.
"""

from insula.egress.client import Answer, Egress, Limits
from insula.egress.errors import AddressRefused, AnswerTooLarge, CallFailed, EgressError
from insula.egress.policy import Policy

__all__ = [
    "AddressRefused",
    "Answer",
    "AnswerTooLarge",
    "CallFailed",
    "Egress",
    "EgressError",
    "Limits",
    "Policy",
]
