"""Every core table, known by being imported: what marks say of them must not depend on which parts
of the platform a process happens to use."""

from insula.broker import tables as broker
from insula.events import tables as events
from insula.files import tables as files
from insula.identity import tables as identity
from insula.jobs import tables as jobs
from insula.portability import tables as portability
from insula.search import tables as search
from insula.tenancy import tables as tenancy
from insula.webhooks import tables as webhooks

CORE_TABLES = (broker, events, files, identity, jobs, portability, search, tenancy, webhooks)
