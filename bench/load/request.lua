-- wrk: sends the requests that stand, byte by byte, in files, and reports what wrk's own text leaves out.
--   wrk -s request.lua URL -- FILE [OTHER_FILE EVERY]
-- With one file the request is a constant and no Lua runs while it loads. With two, each EVERY-th request of a thread is
-- the other one.
local function read(path)
  local file = assert(io.open(path, "rb"))
  local bytes = file:read("*a")
  file:close()
  return bytes
end

local threads = 0
function setup(thread)
  thread:set("number", threads)
  threads = threads + 1
end

function init(args)
  local usual = read(args[1])
  wrk.format = function() return usual end
  if args[2] == nil then return end
  local other, every = read(args[2]), tonumber(args[3])
  -- Threads begin at different places, so that the slow ones don't come in pairs.
  local count = math.floor(every / 2) * number
  request = function()
    count = count + 1
    if count % every == 0 then return other end
    return usual
  end
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    "figures p50=%d p99=%d p99.9=%d connect=%d read=%d write=%d timeout=%d status=%d\n",
    latency:percentile(50), latency:percentile(99), latency:percentile(99.9),
    errors.connect, errors.read, errors.write, errors.timeout, errors.status))
end
