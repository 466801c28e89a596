-- A key or password in a prompt: by its form where bodies are kept in full, by the mark that redaction left where
-- they are not.
SELECT record_id, ts, user_name, address, endpoint,
       coalesce(regexp_extract(request_body, '\[(api_key|jwt|private_key|url_password|named_secret)[:\]]', 1), '') AS mark
FROM calls
WHERE regexp_matches(request_body,
    '\b(sk-[A-Za-z0-9_-]{20,}|AKIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{36}|glpat-[A-Za-z0-9_-]{20}|xox[abprs]-[A-Za-z0-9-]{10,}|AIza[0-9A-Za-z_-]{35})'
    || '|-----BEGIN [A-Z ]*PRIVATE KEY-----'
    || '|\[(api_key|jwt|private_key|url_password|named_secret)(:[0-9a-f]{12})?\]')
ORDER BY ts;
