"""What can go wrong with tenants and their modules."""

from insula.http.problem import Problem


class SlugTaken(Problem):
    """Another tenant has this slug: choose another one."""

    status, slug, title = 409, "slug-taken", "This slug is taken"

    def __init__(self, name: str) -> None:
        super().__init__(f"The slug {name!r} belongs to another tenant.")


class TenantNotFound(Problem):
    """The host, the ``Insula-Tenant`` header or the token names no tenant of this installation."""

    status, slug, title = 404, "tenant-not-found", "No such tenant"


class TenantSuspended(Problem):
    """The operator has suspended this tenant; its data is kept."""

    status, slug, title = 403, "tenant-suspended", "This tenant is suspended"


class TenantMoved(Problem):
    """The tenant has another slug now: `Location` is the same address at its new host."""

    status, slug, title = 308, "tenant-moved", "This tenant has another name now"

    def __init__(self, *, location: str = "") -> None:
        super().__init__(headers={"Location": location})


class TenantMoving(Problem):
    """The tenant is on its way to another server, which takes a moment: send the request again."""

    status, slug, title = 503, "tenant-moving", "This tenant is moving"

    def __init__(self) -> None:
        super().__init__(headers={"Retry-After": "1"})


class TenantNotDeleted(Problem):
    """There is nothing to bring back or to purge: the tenant has not been deleted."""

    status, slug, title = 409, "tenant-not-deleted", "This tenant is not deleted"


class TenantRequired(Problem):
    """Name a tenant: by its host, by the header ``Insula-Tenant: <slug>``, or with a token."""

    status, slug, title = 400, "tenant-required", "Which tenant?"


class ModuleDisabled(Problem):
    """The tenant has not switched this module on: ``PUT /api/v1/modules/{name}`` does."""

    status, slug, title = 404, "module-disabled", "This module is switched off"


class ModuleNotInstalled(Problem):
    """This installation has no module of that name; ``GET /api/v1/modules`` lists them."""

    status, slug, title = 404, "module-not-installed", "No such module"


class ModuleNeedsOthers(Problem):
    """The module builds on others, which have to be switched on first; ``needs`` lists them."""

    status, slug, title = 409, "module-needs-others", "Other modules have to be on first"

    def __init__(self, module: str, missing: list[str]) -> None:
        super().__init__(f"{module} needs {', '.join(missing)}.", needs=missing)


class ModuleNeeded(Problem):
    """Other modules that are on build on this one; ``needed_by`` lists them."""

    status, slug, title = 409, "module-needed", "Other modules need this one"

    def __init__(self, module: str, users: list[str]) -> None:
        super().__init__(f"{module} is needed by {', '.join(users)}.", needed_by=users)


class DomainUnknown(Problem):
    """No tenant has proved that this host name is its own."""

    status, slug, title = 404, "domain-unknown", "No such domain"


class DomainTaken(Problem):
    """Another tenant has proved that this host name is its own, and its record is still there."""

    status, slug, title = 409, "domain-taken", "This domain belongs to another tenant"


class TooManyDomains(Problem):
    """A tenant may claim twenty host names: give up one that is not used."""

    status, slug, title = 409, "too-many-domains", "There are too many domains"


class DomainUnproved(Problem):
    """The TXT record was not found, or says something else; ``found`` lists what is there. A new
    record may take minutes to be seen."""

    status, slug, title = 409, "domain-unproved", "The record is not there yet"


class DomainUnreachable(Problem):
    """The name servers of the domain did not answer: try again later."""

    status, slug, title = 503, "domain-unreachable", "The domain's name servers do not answer"
