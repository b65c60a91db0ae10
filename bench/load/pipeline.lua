-- wrk: writes as many requests at once as the argument after "--" says, be it one.
-- The batch replaces the formatted request, so that wrk treats it as a constant and runs no Lua while it loads.
function init(args)
  local batch = wrk.format():rep(tonumber(args[1]) or 16)
  wrk.format = function() return batch end
end

-- As in request.lua: what wrk's own text leaves out.
function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    "figures p50=%d p99=%d p99.9=%d connect=%d read=%d write=%d timeout=%d status=%d\n",
    latency:percentile(50), latency:percentile(99), latency:percentile(99.9),
    errors.connect, errors.read, errors.write, errors.timeout, errors.status))
end
