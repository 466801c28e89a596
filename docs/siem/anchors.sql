-- The trail's checkpoints as they arrived. They should agree with each other, grow, be signed, and follow whatever
-- is recorded within a few minutes. `sluice audit verify` compares them with the trail itself.
WITH checkpoints AS (
    SELECT record_id, ts, target AS trail, CAST(metadata->>'$.sequence' AS UBIGINT) AS sequence, metadata->>'$.hash' AS hash,
           metadata->>'$.signature' AS signature
    FROM events WHERE kind = 'TrailCheckpoint'
), newest AS (SELECT max(ts) AS ts FROM (SELECT ts FROM calls UNION ALL SELECT ts FROM events))
SELECT 'two histories' AS finding, trail, min(ts) AS ts, CAST(sequence AS VARCHAR) AS detail
FROM checkpoints GROUP BY trail, sequence HAVING count(DISTINCT hash) > 1
UNION ALL
SELECT 'went back', trail, ts, sequence || ' after ' || before FROM (
    SELECT *, max(sequence) OVER (PARTITION BY trail ORDER BY ts, record_id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
    FROM checkpoints) WHERE sequence < before
UNION ALL
SELECT 'not signed', trail, ts, CAST(sequence AS VARCHAR) FROM checkpoints WHERE signature IS NULL
UNION ALL
SELECT 'no checkpoint', split_part(record_id, '-', 1), min(c.ts), count(*) || ' calls'
FROM calls c, newest
WHERE c.ts < newest.ts - INTERVAL 5 MINUTES
  AND NOT EXISTS (SELECT 1 FROM checkpoints k WHERE k.trail = split_part(c.record_id, '-', 1)
                  AND k.ts BETWEEN c.ts AND c.ts + INTERVAL 5 MINUTES)
GROUP BY split_part(record_id, '-', 1)
ORDER BY ALL;
