"""Why a call was not made, or came to nothing. The messages may be shown to a tenant."""


class EgressError(Exception):
    """No answer: see the subclasses."""


class AddressRefused(EgressError):
    """The URL, or an address that its name has, is not one that may be called."""


class CallFailed(EgressError):
    """The name is unknown, nobody listens, TLS failed, or it took too long; may be tried again."""


class AnswerTooLarge(EgressError):
    """The answer has more bytes than were asked for."""
