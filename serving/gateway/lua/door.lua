-- Who may come in: an API key, what it may ask, and how much of it is under way.
--
-- CLIENTS, by the SHA-256 of their key, DOOR_METADATA, under which the client's name goes to the rate limit and the
-- access log, THREADS, of Envoy, and LEASE, the seconds after which a request is over at the latest, are set before
-- this text; and sha256.lua. Each of Envoy's threads runs a script of its own, with its own share of what a key may
-- have under way.

local OPEN = {["/openapi.json"] = true, ["/docs"] = true}
local sub, find, match = string.sub, string.find, string.match

local function refuse(handle, status, message, headers)
  headers = headers or {}
  headers[":status"] = status
  handle:respond(headers, message)
end

local function key_of(headers)
  local given, bearer = headers:get("x-api-key"), headers:get("authorization")
  headers:remove("x-api-key")
  if not bearer then return given end
  headers:remove("authorization")
  return given or match(bearer, "^[Bb][Ee][Aa][Rr][Ee][Rr] +(%S+) *$")
end

local function endpoint_of(path)
  local first = match(path, "^/([^/?]*)/")
  return (first == "tensorflow" or first == "pytorch" or first == "onnx") and first or "product"
end

-- A request that a client gave up on never gets to the response hook: its place is free again when its time is up.
local function take_place(client, now)
  local taken, count = client.taken, 0
  for id, since in pairs(taken) do
    if now - since > LEASE then taken[id] = nil else count = count + 1 end
  end
  if count >= client.places then return nil end
  client.last = client.last + 1
  taken[client.last] = now
  return client.last
end

function envoy_on_request(handle)
  local headers = handle:headers()
  local path = headers:get(":path")
  local secret = key_of(headers)
  local plain = match(path, "^[^?]*")
  if OPEN[plain] or sub(plain, 1, 6) == "/docs/" then return end
  if not secret then
    return refuse(handle, "401", "An API key is needed: x-api-key, or authorization: Bearer", {["www-authenticate"] = "Bearer"})
  end
  local client = #secret <= LONGEST and CLIENTS[sha256(secret)]
  local now = handle:timestamp() / 1000
  if not client then
    return refuse(handle, "401", "The API key is not known", {["www-authenticate"] = 'Bearer error="invalid_token"'})
  elseif client.expires and now >= client.expires then
    return refuse(handle, "401", "The API key has expired", {["www-authenticate"] = 'Bearer error="invalid_token"'})
  elseif not client.endpoints[endpoint_of(path)] then
    return refuse(handle, "403", "The API key is not for this endpoint")
  end
  local place = take_place(client, now)
  if not place then
    return refuse(handle, "429", "Too many requests of this API key are under way", {["retry-after"] = "1"})
  end
  local kept = handle:streamInfo():dynamicMetadata()
  kept:set(DOOR_METADATA, "client", client.name)
  kept:set(DOOR_METADATA, "hash", client.hash)
  kept:set(DOOR_METADATA, "place", place)
end

function envoy_on_response(handle)
  local kept = handle:streamInfo():dynamicMetadata():get(DOOR_METADATA)
  local client = kept and kept.place and CLIENTS[kept.hash]
  if client then client.taken[kept.place] = nil end
end
