-- The function has its name from the beginning, and tables are sealed with it: nothing to do.
SELECT 1;
