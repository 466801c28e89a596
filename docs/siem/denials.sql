-- A burst of denials: ten or more of one caller, or of one address of which nobody knows whose it is, within five
-- minutes.
WITH denied AS (
    SELECT ts, coalesce(user_name, address) AS who, code,
           count(*) OVER (PARTITION BY coalesce(user_name, address) ORDER BY ts
                          RANGE BETWEEN INTERVAL 5 MINUTES PRECEDING AND CURRENT ROW) AS recent
    FROM calls WHERE result IN ('denied', 'unauthenticated')
)
SELECT who, min(ts) AS since, max(recent) AS most, list_sort(list_distinct(list(code))) AS codes
FROM denied GROUP BY who HAVING max(recent) >= 10 ORDER BY who;
