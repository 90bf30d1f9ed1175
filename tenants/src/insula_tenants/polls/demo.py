"""Polls worth looking at, for a demo tenant."""

from insula.db import Work
from insula.module import Demo
from msgspec import convert

from insula_tenants.polls.schemas import PollCreate
from insula_tenants.polls.service import editing

_POLLS = (
    {
        "kind": "single",
        "question": "What grows on the roof this year?",
        "options": ["Tomatoes", "Chard", "Strawberries"],
        "voters": "cookie",
    },
    {
        "kind": "ranked",
        "question": "Where does the house go in summer?",
        "description": "Put the places in order; the last one goes until one has more than half.",
        "options": ["Ostia", "Tivoli", "Baiae", "Capri"],
        "voters": "cookie",
        "may_change": True,
    },
    {
        "kind": "quiz",
        "question": "How high could an insula in Rome be under Augustus?",
        "options": ["30 feet", "70 feet", "120 feet"],
        "correct": [2],
        "explanation": "Augustus allowed new ones on public roads 70 Roman feet (Strabo 5.3.7).",
        "reveal": "after_vote",
        "results": "after_vote",
        "voters": "cookie",
    },
    {
        "kind": "rating",
        "question": "How was the house meeting?",
        "voters": "user",
        "anonymous": True,
        "results": "after_vote",
    },
    {
        "kind": "open",
        "question": "What should the baker on the ground floor bake?",
        "moderated": True,
        "voters": "cookie",
        "anonymous": True,
    },
)


async def fill(tx: Work, demo: Demo) -> None:
    """One poll of most kinds, open to everybody who has the link or an account."""
    for poll in _POLLS:
        await editing.create(tx, convert(poll, PollCreate), demo.owner_id)
