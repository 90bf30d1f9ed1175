"""CDN and cache simulation; imports nothing else of Insula.

The library is ``simulate``, ``sweep_table`` and ``read_scenario``.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from insula_simulator.api import Run, simulate, sweep_table
    from insula_simulator.scenario import read_scenario

__all__ = ["Run", "read_scenario", "simulate", "sweep_table"]

_HOMES = {
    "Run": "insula_simulator.api",
    "simulate": "insula_simulator.api",
    "sweep_table": "insula_simulator.api",
    "read_scenario": "insula_simulator.scenario",
}


def __getattr__(name: str) -> Any:
    """Loaded when asked for (PEP 562): one cache on the command line needs no data frames."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
