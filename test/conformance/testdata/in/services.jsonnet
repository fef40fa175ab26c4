local lib = import 'lib.libsonnet';
{ services: [lib.service('s%d' % i, 8000 + i) for i in std.range(1, 50)], total: std.length(self.services) }
