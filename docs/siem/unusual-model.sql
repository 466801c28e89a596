-- A caller uses a model for the first time in thirty days, although he made twenty calls or more in them.
WITH used AS (
    SELECT record_id, ts, user_name, endpoint, model,
           count(*) OVER (PARTITION BY user_name, model ORDER BY ts
                          RANGE BETWEEN INTERVAL 30 DAYS PRECEDING AND INTERVAL 1 MICROSECOND PRECEDING) AS of_model,
           count(*) OVER (PARTITION BY user_name ORDER BY ts
                          RANGE BETWEEN INTERVAL 30 DAYS PRECEDING AND INTERVAL 1 MICROSECOND PRECEDING) AS of_all
    FROM calls WHERE user_name IS NOT NULL AND model IS NOT NULL AND result = 'answered'
)
SELECT record_id, ts, user_name, endpoint, model FROM used WHERE of_model = 0 AND of_all >= 20 ORDER BY ts;
