-- wrk: writes as many requests at once as the argument after "--" says.
-- The batch replaces the formatted request, so that wrk treats it as a constant and runs no Lua while it loads.
function init(args)
  local batch = wrk.format():rep(tonumber(args[1]) or 16)
  wrk.format = function() return batch end
end
