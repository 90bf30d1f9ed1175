-- As 0001_initial.fresh.sql has it already.
SELECT;
