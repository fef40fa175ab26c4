words = %w[the quick brown fox jumps over the lazy dog the end]
p words.tally.max_by { |_, n| n }
File.write("/work/rb", words.join("\n"))
puts File.readlines("/work/rb", chomp: true).map(&:size).sum
Dir.mkdir("/work/d")
p Dir.children("/work").sort
begin
  File.read("/secret")
rescue SystemCallError => e
  p e.class
end
p (1..30).reduce(:*)
