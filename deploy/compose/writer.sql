-- In an application, in the same transaction as the change that the row tells of.
INSERT INTO outbox (aggregatetype, aggregateid, type, payload)
SELECT CASE WHEN n = 1 AND random() < 0.2 THEN 'mail' ELSE 'order' END,
       (random() * 999)::int::text,
       'OrderPlaced',
       jsonb_build_object('total', (random() * 10000)::int)
FROM generate_series(1, 5) AS n
\watch 0.1
