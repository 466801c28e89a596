-- Spending outside working hours (Monday to Friday, 7 to 20 UTC): five US dollars or more of one caller in a night
-- or on a day off. The night belongs to the day on which it begins.
SELECT user_name, CAST(ts AT TIME ZONE 'UTC' - INTERVAL 7 HOURS AS DATE) AS night, round(sum(cost_usd), 2) AS usd, count(*) AS calls
FROM calls
WHERE user_name IS NOT NULL
  AND (isodow(ts AT TIME ZONE 'UTC') >= 6 OR hour(ts AT TIME ZONE 'UTC') NOT BETWEEN 7 AND 19)
GROUP BY ALL HAVING sum(cost_usd) >= 5 ORDER BY user_name, night;
