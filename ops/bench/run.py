"""``make bench``: see RESULTS.md beside this file for what is measured and how to repeat it."""

from insula_bench.command import main

if __name__ == "__main__":
    main()
