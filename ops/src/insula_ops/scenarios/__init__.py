"""What simulated people do, one file for each part of the API."""
