-- The requests of a clinic's staff, in the mix of their pages, and a table by route.
--
--   wrk -t2 -c32 -d30s -s mix.lua BASE_URL -- FILE
--
-- bench/load/load.py writes FILE. It has a line for each token, patient and page of the list, with tabs between the words:
--
--   generation  NUMBER                   first; if it changes, the tokens are read again
--   token       ORGANIZATION  TOKEN
--   patient     ORGANIZATION  ID         percent-encoded as in an address
--   cursor      ORGANIZATION  CURSOR
--   writes      0 or 1                   whether contacts are logged
--
-- wrk does not pass the request to the response handler, and threads share no Lua state. So each request has its route
-- and its start time in X-Request-Id, which every response returns. Each thread counts in its own piece of memory, because
-- shared counters would lose increments. The pieces are read at the end.

local ffi = require("ffi")
ffi.cdef [[
    typedef struct { long seconds; long nanoseconds; } load_time;
    int clock_gettime(int clock, load_time *time);
    void *calloc(size_t number, size_t size);
]]

-- Requests of each kind in 100. The overview sends three requests every 30 seconds, and the list two.
local routes = {
    { name = "risk-metrics", share = 26 }, { name = "dashboard", share = 14 }, { name = "performance", share = 16 },
    { name = "patients/prioritized", share = 20 }, { name = "patients/{patient_id}", share = 12 }, { name = "trends", share = 6 },
    { name = "log-outreach", share = 6 }, { name = "without an id", share = 0 },
}
local unknown, posts = #routes, 7

-- Latencies of 2xx in microseconds, in buckets of 1/128 of an octave, then statuses, then requests sent.
local buckets, statuses = 128 * 34, 600
local sent_at = buckets + statuses
local row = sent_at + 1

local time = ffi.new("load_time")
local function now() -- in microseconds, of the monotonic clock
    ffi.C.clock_gettime(1, time)
    return tonumber(time.seconds) * 1000000 + math.floor(tonumber(time.nanoseconds) / 1000)
end

local threads, pieces, started = {}, {}, 0

function setup(thread)
    local piece = ffi.C.calloc(#routes * row, 8)
    assert(piece ~= nil, "no memory to count in")
    table.insert(threads, thread)
    table.insert(pieces, ffi.cast("uint64_t *", piece))
    -- An address has 47 bits, a number 53.
    thread:set("address", tonumber(ffi.cast("intptr_t", piece)))
    thread:set("number", #threads)
    started = now()
end

-- In each thread

local file, generation, read_at
local tokens, patients, cursors, writes = {}, {}, {}, false

local function read_file()
    read_at = now()
    local lines = io.open(file)
    if not lines then return end
    local first = lines:read("*l")
    if first ~= generation then
        generation, tokens, patients, cursors = first, {}, {}, {}
        for line in lines:lines() do
            local word, organization, value = line:match("^(%S+)\t([^\t]+)\t?(.*)$")
            if word == "token" then table.insert(tokens, { organization = organization, token = value })
            elseif word == "writes" then writes = organization == "1"
            elseif word then
                local kept = word == "patient" and patients or cursors
                kept[organization] = kept[organization] or {}
                table.insert(kept[organization], value)
            end
        end
    end
    lines:close()
end

local function one_of(list) return list[math.random(#list)] end

local timeframes = { "", "?timeframe=last_7_days", "?timeframe=last_30_days", "?timeframe=last_90_days" }
local levels = { "all", "all", "critical", "critical", "high", "medium", "low", "engaged" }
local periods = { "7d", "30d", "30d", "90d", "6m", "1y" }
local series = "&metrics=risk_levels,success_rates,channel_performance"
local methods = { "sms", "email", "phone" }
local outcomes = { "success", "success", "success", "no_response", "no_response", "failed" }

local function list_address(organization)
    local pages = cursors[organization]
    if pages and math.random(4) == 1 then return "patients/prioritized?limit=25&cursor=" .. one_of(pages) end
    return "patients/prioritized?limit=25&risk_level=" .. one_of(levels)
end

local addresses = {
    function() return "risk-metrics" end, function() return "dashboard" end,
    function() return "performance" .. one_of(timeframes) end, list_address,
    function(organization) return "patients/" .. one_of(patients[organization]) end,
    function() return "trends?period=" .. one_of(periods) .. series end, function() return "log-outreach" end,
}

-- One in twenty is a retry, as after a lost response: the same key with the same body, which gets 200.
local made, last = 0, {}
local function contact(organization)
    if last[organization] and math.random(20) == 1 then return last[organization] end
    made = made + 1
    local body = string.format('{"patient_id":"%s","method":"%s","outcome":"%s","notes":"load test"}',
        one_of(patients[organization]):gsub("%%(%x%x)", function(code) return string.char(tonumber(code, 16)) end)
            :gsub('[%c"\\]', function(character) return string.format("\\u%04x", character:byte()) end),
        one_of(methods), one_of(outcomes))
    last[organization] = string.format("Content-Type: application/json\r\nIdempotency-Key: %s-%d\r\nContent-Length: %d\r\n\r\n%s",
        run, made, #body, body)
    return last[organization]
end

local function choose_route(organization)
    while true do
        local at, route = math.random(100), 0
        repeat
            route = route + 1
            at = at - routes[route].share
        until at <= 0
        local needs_patient = route == 5 or route == posts
        if not (needs_patient and not patients[organization]) and (route ~= posts or writes) then return route end
    end
end

local base, host, is_trial, counts

function init(arguments)
    file = assert(arguments[1], "name the file of tokens behind --")
    counts = ffi.cast("uint64_t *", ffi.cast("intptr_t", address))
    math.randomseed(now() % 2147483647 + number)
    run = string.format("load-%d-%d", os.time(), number)
    read_file()
    assert(#tokens > 0, file .. " has no token")
    base = wrk.path:gsub("/$", "") .. "/api/v1/reengagement/"
    host = wrk.headers["Host"]
    -- wrk calls this once in the first thread to inspect the request, and does not send it.
    is_trial = number == 1
end

function request()
    local began = now()
    if began - read_at > 1000000 then read_file() end
    local caller = one_of(tokens)
    local organization = caller.organization
    local route = choose_route(organization)
    local head = (route == posts and "POST " or "GET ") .. base .. organization .. "/" .. addresses[route](organization)
        .. " HTTP/1.1\r\nHost: " .. host .. "\r\nAuthorization: Bearer " .. caller.token
    if is_trial then is_trial = false else
        local cell = (route - 1) * row + sent_at
        counts[cell] = counts[cell] + 1
    end
    return string.format("%s\r\nX-Request-Id: %s.%d.%d.%d\r\n%s", head, run, route, began, math.random(999999),
        route == posts and contact(organization) or "\r\n")
end

function response(status, headers, body)
    local ended = now()
    local id = headers["X-Request-Id"] or headers["x-request-id"]
    local route, began = (id or ""):match("^load%-[%d-]+%.(%d+)%.(%d+)%.")
    route, began = tonumber(route or unknown), tonumber(began or ended)
    local first = (route - 1) * row
    local cell = first + buckets + math.min(status, statuses - 1)
    counts[cell] = counts[cell] + 1
    if status < 300 then
        local fraction, exponent = math.frexp(math.max(ended - began, 1))
        cell = first + math.min(exponent * 128 + math.floor((fraction - 0.5) * 256), buckets - 1)
        counts[cell] = counts[cell] + 1
    else
        -- The first of its kind as an example: the problem's type and title, without personal data.
        local name = "example " .. route .. " " .. status
        if not _G[name] then
            local kind, title = body:match('"type"%s*:%s*"([^"]*)"'), body:match('"title"%s*:%s*"([^"]*)"')
            _G[name] = string.format("%s (%s), such as %s", kind or "no problem document", title or "no title", id or "?")
        end
    end
end

-- At the end

local function cell(route, at)
    local sum = 0
    for _, piece in ipairs(pieces) do sum = sum + tonumber(piece[(route - 1) * row + at]) end
    return sum
end

local function rows_of(route) -- of one route, or of all with nil
    local sum = { histogram = {}, statuses = {}, answered = 0, timed = 0, sent = 0 }
    for number = route or 1, route or #routes do
        sum.sent = sum.sent + cell(number, sent_at)
        for bucket = 0, buckets - 1 do
            local count = cell(number, bucket)
            sum.histogram[bucket] = (sum.histogram[bucket] or 0) + count
            sum.timed = sum.timed + count
        end
        for status = 0, statuses - 1 do
            local count = cell(number, buckets + status)
            sum.answered = sum.answered + count
            if count > 0 then sum.statuses[status] = (sum.statuses[status] or 0) + count end
        end
    end
    return sum
end

-- In milliseconds, the middle of its bucket.
local function percentile(sum, part)
    local wanted, seen = math.max(math.ceil(sum.timed * part), 1), 0
    for bucket = 0, buckets - 1 do
        seen = seen + sum.histogram[bucket]
        if seen >= wanted then return math.ldexp(0.5 + (bucket % 128 + 0.5) / 256, math.floor(bucket / 128)) / 1000 end
    end
    return 0
end

local function statuses_of(sum)
    local words = {}
    for status = 0, statuses - 1 do
        if sum.statuses[status] then table.insert(words, status .. ": " .. sum.statuses[status]) end
    end
    return table.concat(words, ", ")
end

local function print_row(name, sum, seconds)
    if sum.sent == 0 and sum.answered == 0 then return end
    local times = {}
    for _, part in ipairs({ 0.5, 0.9, 0.99, 1 }) do
        table.insert(times, sum.timed > 0 and string.format("%.2f", percentile(sum, part)) or "-")
    end
    print(string.format("%-22s %9d %9d %9.1f %8s %8s %8s %8s   %s", name, sum.sent, sum.answered, sum.answered / seconds, times[1],
        times[2], times[3], times[4], statuses_of(sum)))
end

local function print_examples(route)
    for status = 300, statuses - 1 do
        for _, thread in ipairs(threads) do
            local example = thread:get("example " .. route .. " " .. status)
            if example then
                print(string.format("  %s %d: %d times, %s", routes[route].name, status, cell(route, buckets + status), example))
                break
            end
        end
    end
end

function done(summary)
    -- wrk measures its duration by a clock that may be set meanwhile.
    local seconds, errors, all = (now() - started) / 1e6, summary.errors, rows_of()
    print(string.format("\n%-22s %9s %9s %9s %8s %8s %8s %8s   %s", "route", "sent", "answered", "a second", "p50 ms", "p90", "p99",
        "longest", "statuses"))
    for route, each in ipairs(routes) do print_row(each.name, rows_of(route), seconds) end
    print_row("all", all, seconds)
    local unanswered = all.sent - all.answered + rows_of(unknown).answered
    print(string.format("\nunder way at the end, or lost: %d", unanswered))
    print(string.format("socket errors: connect %d, read %d, write %d; found waiting for longer than the timeout: %d", errors.connect,
        errors.read, errors.write, errors.timeout))
    for route = 1, #routes do print_examples(route) end
end
