-- Column and index are there since 0001_initial.fresh.sql.
CREATE TRIGGER search_learn AFTER INSERT OR UPDATE OF search ON notes FOR EACH ROW EXECUTE FUNCTION search_learn();
