{ service(name, port):: { name: name, port: port, url: 'local:%d/%s' % [port, name] } }
