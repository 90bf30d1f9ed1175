"""What ``ops/bench/run.py`` measures with, and the bare applications that it compares with."""
