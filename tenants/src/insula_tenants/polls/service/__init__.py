"""The rules about polls.

``tallying`` counts, ``lifecycle`` opens and closes, ``editing`` makes and changes, ``voting`` takes
votes of those whom ``voters`` knows, ``results`` says who may see what, ``answers`` moderates and
``export`` writes it all down.
"""
