"""Polls, as the platform sees them."""

from insula.module import Module
from insula.search import Only, SearchSource

from insula_tenants.polls import demo, tables
from insula_tenants.polls.events import EVENTS
from insula_tenants.polls.graphql import GRAPH
from insula_tenants.polls.permissions import READ, SCOPES, WRITE
from insula_tenants.polls.routes import ROUTES
from insula_tenants.polls.service.lifecycle import CLOSE, OPEN, take_up
from insula_tenants.polls.service.tallying import CONCLUDE, NOTICE, TALLY
from insula_tenants.polls.sockets import CHANNELS

MODULE = Module(
    name="polls",
    title="Polls",
    summary="Polls, quizzes and ranked ballots, with results that come in live.",
    package=__package__,
    routes=ROUTES,
    scopes=SCOPES,
    tables=(
        tables.Poll,
        tables.PollToken,
        tables.PollVoter,
        tables.PollVote,
        tables.PollChange,
        tables.PollTally,
        tables.PollCount,
    ),
    events=EVENTS,
    listeners=(NOTICE,),
    jobs=(OPEN, CLOSE, TALLY, CONCLUDE),
    channels=CHANNELS,
    graphql=GRAPH,
    search=(
        SearchSource(
            kind="polls.poll",
            key=tables.Poll.id,
            title=tables.Poll.question,
            text=tables.Poll.description,
            right=READ,
            url="/api/v1/polls/{id}",
            only=(Only(where=tables.Poll.state != "draft", unless=WRITE),),
        ),
    ),
    demo=demo.fill,
    arrived=take_up,
)
