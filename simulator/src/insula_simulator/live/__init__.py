"""The network while it runs, on a web page."""
