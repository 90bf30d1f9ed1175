"""Moving a tenant to another cell while it serves.

1. *copying*: the same tables are made at the target; triggers note which rows change; every table
   is copied, then again what has changed meanwhile, until little is left; all of it is compared.
2. *paused*: writes wait (:mod:`.fencing`), the last changes are copied and compared, with them the
   tenant's rows in the spool.
3. *switched*: the catalogue names the new place; the old one is dropped.

Each step can be done twice, so a move that was killed is taken up where it was: by the same
command, or, once writes wait, by any worker (:mod:`.tending`). Files stay where they are.
"""
