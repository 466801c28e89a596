-- Takes from the front of a stream what it need not hold.
-- KEYS: the stream. ARGV: the length that is aimed at; the length that is never passed; seconds that an entry
-- is kept, 0: any
-- Returns the length after; how many were taken though a group had not acknowledged them; the group that
-- holds most back, and how many entries stand beyond the aim because of it.
local stream, aim, hard, age = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
if redis.call('EXISTS', stream) == 0 then
	return {0, 0, '', 0}
end
local function parts(id)
	local ms, n = string.match(id, '^(%d+)-(%d+)$')
	return tonumber(ms), tonumber(n)
end
local function less(a, b)
	local ams, an = parts(a)
	local bms, bn = parts(b)
	return ams < bms or ams == bms and an < bn
end
-- floor: the first entry that some group has not acknowledged.
local floor, holder = nil, ''
for _, group in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
	local g = {}
	for i = 1, #group, 2 do
		g[group[i]] = group[i + 1]
	end
	local ms, n = parts(g['last-delivered-id'])
	local low = string.format('%.0f-%.0f', ms, n + 1)
	if g['pending'] > 0 then
		low = redis.call('XPENDING', stream, g['name'])[2]
	end
	if not floor or less(low, floor) then
		floor, holder = low, g['name']
	end
end
if age > 0 then
	local old = string.format('%.0f-0', (tonumber(redis.call('TIME')[1]) - age) * 1000)
	if floor and less(floor, old) then
		old = floor
	end
	redis.call('XTRIM', stream, 'MINID', '~', old)
end
local excess = redis.call('XLEN', stream) - aim
if excess > 0 then
	if floor then
		redis.call('XTRIM', stream, 'MINID', '~', floor, 'LIMIT', excess)
	else
		redis.call('XTRIM', stream, 'MAXLEN', '~', aim)
	end
end
local lost = 0
if redis.call('XLEN', stream) > hard then
	lost = redis.call('XTRIM', stream, 'MAXLEN', '~', hard)
end
local length = redis.call('XLEN', stream)
return {length, lost, holder, math.max(0, length - aim)}
