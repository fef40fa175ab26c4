local n, found = 7, 0
local function place(row, cols, left, right)
  if row > n then found = found + 1 return end
  for c = 1, n do
    if not cols[c] and not left[row + c] and not right[row - c + n] then
      cols[c], left[row + c], right[row - c + n] = true, true, true
      place(row + 1, cols, left, right)
      cols[c], left[row + c], right[row - c + n] = nil, nil, nil
    end
  end
end
place(1, {}, {}, {})
print(n .. " queens: " .. found)
local co = coroutine.wrap(function() for w in ("one two three"):gmatch("%a+") do coroutine.yield(w:upper()) end end)
print(co(), co(), co())
local f = assert(io.open("/work/lua.txt", "w"))
f:write(string.format("%5.2f|%s", math.pi, table.concat({1, 2, 3}, ",")))
f:close()
for line in io.lines("/work/lua.txt") do print(line) end
print(pcall(error, "caught"))
print(io.open("/etc/passwd"))
