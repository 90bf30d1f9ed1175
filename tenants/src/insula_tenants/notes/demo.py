"""Notes worth looking at, for a demo tenant."""

from insula.db import Work
from insula.markdown.front_matter import split_text
from insula.module import Demo

from insula_tenants.notes import service
from insula_tenants.notes.content import compose

_NOTES = (
    """# Start here

Welcome to Insula's notes. They are plain **Markdown**, they link to each other, and every change
is kept.

- [x] sign up
- [x] switch the module on
- [ ] read the [[Roof garden]] plan #todo
- [ ] import your own vault: `insula notes import --tenant demo ./folder`

> An *insula* was the Roman block of flats: many households, shops below, shared walls and water.
""",
    """# Roof garden

What grows on the roof of the house. See [[Watering]] for who does what.

| bed | plant | sown |
|---|---|---|
| north | chard | April |
| south | tomatoes | May |
| south | basil | May |

Tags: #garden #house/roof
""",
    """# Watering

The [[Roof garden|garden]] wants water at seven in the morning.

- [ ] Monday: Olive #todo
- [ ] Wednesday: Mira #todo
- [x] repair the can

```python
def litres(beds: int, celsius: float) -> float:
    return beds * max(0.0, celsius - 15) / 2
```

Rain counts.[^1] #garden

[^1]: More than 5 mm, measured in the can.
""",
    """---
tags: [meeting, house]
---
# Minutes of the house meeting

1. The stairs are swept on Fridays.
2. The baker on the ground floor opens at **six**.
3. Next topic: the [[Roof garden]]. ~~The fountain~~ is settled.
""",
)


async def fill(tx: Work, demo: Demo) -> None:
    """Four notes that show links, tags, tasks, tables, code and footnotes."""
    for text in _NOTES:
        front_matter, body = split_text(text)
        await service.insert(tx, compose(body=body, front_matter=front_matter), demo.owner_id)
