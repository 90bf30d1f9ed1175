"""The page that somebody sees who opens a shared link in a browser."""

from html import escape

from insula_tenants.notes.schemas import SharedNote

# The note's HTML is sanitised; the policy would hold even if it were not.
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src https: http:; frame-ancestors 'none'"
)

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 1.05rem/1.6 system-ui, sans-serif; max-width: 44rem; margin: 3rem auto;
        padding: 0 1rem; overflow-wrap: anywhere; }}
h1, h2, h3 {{ line-height: 1.25; }}
pre {{ overflow-x: auto; padding: .75rem; border: 1px solid #8884; border-radius: .4rem; }}
table {{ border-collapse: collapse; }} th, td {{ border: 1px solid #8886; padding: .3rem .6rem; }}
blockquote {{ margin-left: 0; padding-left: 1rem; border-left: .25rem solid #8886; }}
li:has(> input) {{ list-style: none; margin-left: -1.4rem; }}
footer {{ margin-top: 3rem; color: #777; font-size: .85rem; }}
</style></head>
<body><main>{heading}{html}</main>
<footer>Shared note, last changed <time datetime="{iso}">{day}</time></footer></body></html>
"""


def render(note: SharedNote) -> str:
    """The note as a page; its title stands above unless the text begins with a heading."""
    title = escape(note.title)
    heading = "" if note.html.lstrip().startswith("<h1") else f"<h1>{title}</h1>"
    return _PAGE.format(
        title=title,
        heading=heading,
        html=note.html,
        iso=note.updated_at.isoformat(),
        day=note.updated_at.strftime("%Y-%m-%d %H:%M UTC"),
    )
