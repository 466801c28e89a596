-- Adds records to a stream, each once.
-- KEYS: the stream; a hash of how far each trail has come: trail -> "<sequence> <microseconds>"
-- ARGV: trail; the sequence that the sender knows to be here; 1: add whatever is here already; number of
-- fields of an entry; then for each entry: sequence, microseconds, and the names and values of its fields
-- Returns the sequence that was here before (-1: none), how many were added, and the stream's length; with
-- less here than the sender knows, nothing is added and the second is -1.
local stream, state, trail, known, again, fields = KEYS[1], KEYS[2], ARGV[1], tonumber(ARGV[2]), ARGV[3] == '1', tonumber(ARGV[4])
local high, at = -1, 0
local place = redis.call('HGET', state, trail)
if redis.call('EXISTS', stream) == 0 then
	-- The stream is gone, so that nothing of any trail is here.
	redis.call('DEL', state)
elseif place then
	local s, t = string.match(place, '^(%d+) (%d+)$')
	high, at = tonumber(s), tonumber(t)
end
local before, added = high, 0
if known > 0 and high < known and not again then
	return {before, -1, 0}
end
local i, size = 5, 2 + fields
while ARGV[i] do
	local sequence, time = tonumber(ARGV[i]), tonumber(ARGV[i + 1])
	-- A sequence that was here with a later time is another record: a power failure took the end of the
	-- trail, which went on from before it.
	if again or sequence > high or time > at then
		redis.call('XADD', stream, '*', unpack(ARGV, i + 2, i + 1 + fields))
		added = added + 1
		if not again then
			high, at = sequence, math.max(at, time)
		end
	end
	i = i + size
end
if added > 0 and not again then
	redis.call('HSET', state, trail, string.format('%.0f %.0f', high, at))
end
return {before, added, redis.call('XLEN', stream)}
