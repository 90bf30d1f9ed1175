"""What every page of ours looks like, by day and by night."""

from html import escape

STYLE = """
:root{color-scheme:light dark;--ink:#1f2937;--soft:#6b7280;--line:#e5e7eb;--land:#e8edf3;
--page:#fff}
@media(prefers-color-scheme:dark){:root{--ink:#e5e7eb;--soft:#9ca3af;--line:#374151;--land:#1f2a37;
--page:#111827}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--page);margin:2rem auto;
max-width:1000px;padding:0 1rem}
h1{margin:0}p.text{white-space:pre-line;max-width:70ch}
.figures{display:flex;flex-wrap:wrap;gap:1.5rem;margin:1.2rem 0}.figures div{min-width:7rem}
.figures b{display:block;font-size:1.5rem}.figures span{color:var(--soft)}
figure{margin:1.5rem 0;display:inline-block;width:100%;max-width:490px;vertical-align:top;
overflow-x:auto}
figcaption{font-weight:600}svg{width:100%;height:auto}
polyline{fill:none;stroke-width:1.8}.grid,.way{stroke:var(--line)}.way{stroke-width:1.2}
.tick,.note,.name{font-size:13px;fill:var(--soft)}.note{font-size:11.5px}
.name{font-size:12px;fill:var(--ink)}
.span{fill:#dc2626;opacity:.12}.moment{fill:#dc2626;opacity:.5}.land{fill:var(--land)}
.users{fill:#2563eb;opacity:.25}.edge{fill:#2563eb}.shield{fill:#d97706}.origin{fill:#dc2626}
.legend span{margin-right:1rem;color:var(--soft);display:inline-block}
.legend i{display:inline-block;width:10px;height:10px;margin-right:5px;background:currentColor}
.legend i.users,.legend i.edge{background:#2563eb}
.legend i.shield{background:#d97706}.legend i.origin{background:#dc2626}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
td,th{padding:.3rem .6rem;border-bottom:1px solid var(--line);text-align:right}
td{white-space:nowrap}
td:first-child,th:first-child{text-align:left}
.wide{overflow-x:auto}tr.best td{background:#05966922;font-weight:600}
tr.failed td{color:var(--soft)}.front{stroke:var(--ink);stroke-dasharray:5 4;opacity:.6}
.limit{stroke:#dc2626;stroke-dasharray:3 3;fill:none}
.cell{fill:#2563eb}.value{font-size:13px;fill:var(--ink)}
@media(max-width:700px){table{display:block;overflow-x:auto}figure svg{min-width:460px}
svg.world .name{display:none}}
"""


def framed(title: str, body: str) -> str:
    """A page that loads nothing and runs nothing."""
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<style>{STYLE}</style>{body}</html>"
    )
