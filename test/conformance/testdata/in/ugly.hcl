service   "web" {
 port=80
      hosts = [ "a","b" ]
  check { every="10s"
 }
}
