-- Tables are sealed as they are made, and nobody was granted a sequence: nothing to do.
SELECT 1;
