-- One report per request, by 500 servers in turn, each about a download that goes on. `wrk` runs it (fleet_reports.py).
local servers, first = 500, tonumber(os.getenv("FIRST_SEQUENCE"))
local sent = 0
local body = '{"bootId":"boot","sequence":%d,"health":{"status":"ok","containers":1,"cpu_percent":%d,' ..
  '"memory_percent":20,"disk_percent":30},"disk":{"totalBytes":1000000000000,"freeBytes":100000000000,' ..
  '"floorBytes":1000000000},"bytesPerSecond":1000000,"builds":[{"gameId":"game_many0","build":1,' ..
  '"phase":"downloading","bytesDone":%d,"bytesTotal":1000000000,"bytesPerSecond":1000000}],"sessions":[]}'

function delay()
  return os.getenv("UNPACED") and 0 or math.random(0, 2000)
end

function request()
  local round = math.floor(sent / servers)
  local headers = {
    ["Authorization"] = string.format("Bearer srv_bench_%d", sent % servers),
    ["Content-Type"] = "application/json",
  }
  sent = sent + 1
  return wrk.format("POST", "/api/servers/self/reports", headers,
    string.format(body, first + round, round % 100, (round % 100) * 10000000))
end

function done(_, latency)
  io.write(string.format("p95 %.2f ms\n", latency:percentile(95) / 1000))
end
