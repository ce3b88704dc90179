-- wrk's requests: the same GET, or with a file of patients' ids as argument, a POST for each of them in turn.

local bodies = '{"patient_id":"%s","method":"sms","outcome":"success","notes":"left a message"}'
local requests = {}

function init(arguments)
    if not arguments[1] then return end
    for id in io.lines(arguments[1]) do
        table.insert(requests, wrk.format("POST", nil, nil, bodies:format(id)))
    end
    math.randomseed(os.time())
    local last = math.random(#requests)
    -- Defined only for POST: without this function wrk sends the same bytes each time.
    function request()
        last = last % #requests + 1
        return requests[last]
    end
end

function done(summary, latency)
    local errors = summary.errors
    io.write(string.format(
        '\n{"requests":%d,"seconds":%.6f,"p50":%.3f,"p99":%.3f,"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d}\n',
        summary.requests, summary.duration / 1e6, latency:percentile(50) / 1000, latency:percentile(99) / 1000,
        errors.connect, errors.read, errors.write, errors.status, errors.timeout))
end
