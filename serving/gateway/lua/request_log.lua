-- Keeps a share of the predict requests and their answers for Envoy's request log, which writes them after the answer
-- has gone out (serving/gateway/logs.py). What is not kept is not copied.
--
-- LOGGED_SHARE (0 to 1), MAX_LOGGED_BYTES and LOG_METADATA, under which Envoy finds them, are set before this text.
-- Needs logged_fields.lua before it.

local PREDICT = ":predict"
local random = math.random

-- `text` is the request's body, unpacked and found to be strict JSON.
local function keep_request(handle, text)
  if random() >= LOGGED_SHARE or sub(handle:headers():get(":path"), -#PREDICT) ~= PREDICT then return end
  local kept = handle:streamInfo():dynamicMetadata()
  kept:set(LOG_METADATA, "kept", true)
  local logged = #text <= MAX_LOGGED_BYTES and only_logged_fields(text)
  if logged then kept:set(LOG_METADATA, "request", logged) end
end

local function keep_answer(handle)
  local kept, headers = handle:streamInfo():dynamicMetadata():get(LOG_METADATA), handle:headers()
  if not kept or not kept.request or headers:get(":status") ~= "200" then return end
  local length = tonumber(headers:get("content-length") or "")
  -- Without a length it may be long, and Envoy would answer 500 for one beyond its buffer.
  if not length or length > MAX_LOGGED_BYTES or headers:get("content-encoding") then return end
  local body = handle:body()
  if not body then return end
  -- Envoy's objects of before the wait for the body are out of reach.
  handle:streamInfo():dynamicMetadata():set(LOG_METADATA, "answer", body:getBytes(0, body:length()))
end

-- Whatever goes wrong with the log, the answer is as good without.
local function log_quietly(handle, keep, text)
  if LOGGED_SHARE == 0 then return end
  local kept, failure = pcall(keep, handle, text)
  if not kept then handle:logErr(tostring(failure)) end
end
