"""Many runs of one scenario: a grid over its keys, or a search among them."""
