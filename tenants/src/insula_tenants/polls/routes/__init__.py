"""``/api/v1/polls``."""

from insula_tenants.polls.routes import answers, page, polls, tokens, votes

ROUTES = (*polls.ROUTES, *votes.ROUTES, *answers.ROUTES, *tokens.ROUTES, *page.ROUTES)
