"""What can go wrong with webhooks."""

from insula.http.problem import Problem


class WebhookUrlRefused(Problem):
    """The URL cannot be called from here: it must be an `https://` or `http://` address without
    user name and password, on a port for HTTP, and every address of its host must be a public one.
    The operator can open private networks with `INSULA_EGRESS_ALLOW`."""

    status, slug, title = 422, "webhook-url-refused", "Insula does not call this address"


class UnknownEvents(Problem):
    """A pattern in `events` matches nothing that can happen here. The types there are stand at
    `GET /api/v1/webhooks/event-types`."""

    status, slug, title = 422, "unknown-events", "No event is called that"


class TooManyWebhooks(Problem):
    """The tenant has as many webhooks as one may have: delete one, or have one take more events."""

    status, slug, title = 409, "too-many-webhooks", "There are too many webhooks"


class WebhookDisabled(Problem):
    """Nothing is sent to a disabled webhook: switch it on with `{"enabled": true}` first."""

    status, slug, title = 409, "webhook-disabled", "The webhook is disabled"
