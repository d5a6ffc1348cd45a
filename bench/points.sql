-- Time to turn the JSON text of points into rows: vecdb.parse_points() against
-- json_to_recordset() with a column of type vector, 1,000 points of 768
-- dimensions.  In turns; the best of several rounds counts, so that what else
-- the machine does is left out.  The cast to json (its validation) is shown
-- apart, since both need it.
--
--   psql -f bench/points.sql		in a database with vecdb

\set ON_ERROR_STOP on
CREATE TEMP TABLE body AS
	SELECT json_build_object('points', json_agg(point))::text AS b, json_agg(point)::text AS list
	FROM (
		SELECT json_build_object(
			'id', 'point_' || i,
			'vector', (SELECT json_agg((sin(i * 0.37 + j * 1.7) * 0.05)::real) FROM generate_series(1, 768) j),
			'metadata', json_build_object('title', 'A title of usual length, number ' || i, 'year', 1950 + i % 75,
				'authors', json_build_array('First', 'Second', 'Third'))) AS point
		FROM generate_series(1, 1000) i) p;

CREATE TEMP TABLE timing (what text, ms double precision);
DO $$
DECLARE
	list json := (SELECT b.list FROM body b);
	started timestamptz;
BEGIN
	FOR round IN 1..7 LOOP
		started := clock_timestamp();
		PERFORM count(p.embedding) FROM vecdb.parse_points(list, 768) p;
		INSERT INTO timing VALUES ('1 vecdb.parse_points', extract(epoch FROM clock_timestamp() - started) * 1000);

		started := clock_timestamp();
		PERFORM count(p.vector) FROM json_to_recordset(list) AS p (id text, vector vector, metadata jsonb);
		INSERT INTO timing VALUES ('2 json_to_recordset', extract(epoch FROM clock_timestamp() - started) * 1000);

		started := clock_timestamp();
		PERFORM b.list::json FROM body b;
		INSERT INTO timing VALUES ('3 text::json, for either', extract(epoch FROM clock_timestamp() - started) * 1000);
	END LOOP;
END $$;

SELECT what, round(min(ms)::numeric, 1) AS "us a point",
	round((min(min(ms)) FILTER (WHERE what LIKE '2%') OVER () / min(ms))::numeric, 1) AS "times faster than json_to_recordset"
	FROM timing GROUP BY what ORDER BY what;
