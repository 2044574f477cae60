-- With a file named behind `--`: send its requests in turn, each as eight digits of length and the raw bytes.
-- Ends with one line of JSON, which tests/bench/load.py reads.
local sent = 0

function init(args)
   if args[1] then
      local file = assert(io.open(args[1], "rb"))
      local raw = file:read("*a")
      file:close()
      local requests, at = {}, 1
      while at <= #raw do
         local length = tonumber(raw:sub(at, at + 7))
         requests[#requests + 1] = raw:sub(at + 8, at + 7 + length)
         at = at + 8 + length
      end
      request = function()
         sent = sent % #requests + 1
         return requests[sent]
      end
   end
end

function done(summary, latency, requests)
   local errors = summary.errors
   io.write(string.format(
      'RESULT {"requests": %d, "seconds": %.6f, "p50": %.4f, "p99": %.4f, "refused": %d, "broken": %d}\n',
      summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
      errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
