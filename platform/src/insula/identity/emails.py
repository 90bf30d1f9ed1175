"""E-mail addresses as identifiers."""

from email_validator import EmailNotValidError, validate_email

from insula.http.problem import FieldError, InvalidInput


def normalise(address: str, *, pointer: str = "/email", strict: bool = True) -> str:
    """One spelling for each address: lower case, NFC, domain in its ASCII form.

    ``strict=False`` answers what cannot be an address with itself: it will not be found.

    Raises:
        InvalidInput: the address is not one (RFC 5322, RFC 6531).
    """
    try:
        parsed = validate_email(address, check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        if strict:
            raise InvalidInput(errors=(FieldError(pointer, str(error)),)) from error
        return address.casefold()
    return f"{parsed.local_part}@{parsed.ascii_domain}".lower()
