-- Notes that a sender knows what was lost, and will go on behind a sequence.
-- KEYS: the stream; the hash of how far each trail has come
-- ARGV: trail; the sequence; microseconds of now
if redis.call('EXISTS', KEYS[1]) == 0 then
	redis.call('DEL', KEYS[2])
	-- An empty stream, so that it is not taken for lost again.
	redis.call('XDEL', KEYS[1], redis.call('XADD', KEYS[1], '*', 'id', ''))
end
redis.call('HSET', KEYS[2], ARGV[1], string.format('%.0f %.0f', tonumber(ARGV[2]), tonumber(ARGV[3])))
return 1
