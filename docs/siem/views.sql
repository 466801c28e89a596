-- Calls and events of the audit trail, from what sinks of the format sluice wrote: files of the sink types file
-- and s3 (zstd or not). Set the place before, for example
--   SET VARIABLE archive = 's3://corp-audit/dt=2026-03-*/hour=*/*.ndjson.zst';
-- Records are delivered at least once: recordId tells repeats.
CREATE OR REPLACE VIEW records AS
SELECT DISTINCT ON (json->>'$.recordId') json AS r
FROM read_ndjson_objects(getvariable('archive'), maximum_object_size = 134217728);

CREATE OR REPLACE VIEW calls AS
SELECT r->>'$.recordId' AS record_id,
       CAST(r->>'$.time' AS TIMESTAMPTZ) AS ts,
       r->>'$.id' AS exchange_id,
       r->>'$.exchange.caller.userId' AS user_id,
       r->>'$.exchange.caller.userName' AS user_name,
       r->>'$.exchange.clientAddr' AS address,
       r->>'$.exchange.endpointName' AS endpoint,
       coalesce(r->>'$.outcome.provider', r->>'$.exchange.provider') AS provider,
       coalesce(r->>'$.outcome.model', r->>'$.exchange.model') AS model,
       r->>'$.outcome.result' AS result,
       r->>'$.outcome.code' AS code,
       greatest(CAST(r->>'$.outcome.costNanoUsd' AS BIGINT), 0) / 1e9 AS cost_usd,
       r->>'$.requestBody' AS request_body
FROM records WHERE (r->'$.exchange') IS NOT NULL;

CREATE OR REPLACE VIEW events AS
SELECT r->>'$.recordId' AS record_id,
       CAST(r->>'$.time' AS TIMESTAMPTZ) AS ts,
       r->>'$.eventKind' AS kind,
       r->>'$.event.by.userName' AS user_name,
       r->>'$.event.targetName' AS target,
       r->'$.event.metadata' AS metadata
FROM records WHERE (r->'$.event') IS NOT NULL;
