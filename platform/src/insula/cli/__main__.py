"""``python -m insula.cli`` is ``insula``."""

from insula.cli import main

main(prog_name="insula")
