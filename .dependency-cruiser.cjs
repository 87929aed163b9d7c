/** The one direction of imports (docs/architecture.md): a row's path is capture -> route -> publish -> settle, and I/O stays at the edges. */
const only = (from, allowed) => ({
  name: `${from}-imports-only-${allowed.join('-') || 'itself'}`,
  severity: 'error',
  from: { path: `^src/${from}/` },
  to: { path: '^src/', pathNot: [`^src/${from}/`, ...allowed.map((folder) => `^src/${folder}/`)] },
});

module.exports = {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    only('core', []),
    only('config', ['core']),
    only('route', ['core']),
    only('tls', ['core']),
    only('migrate', ['core']),
    only('publish', ['core', 'tls']),
    only('postgres', ['core', 'tls']),
    only('capture', ['core', 'postgres']),
    only('relay', ['core']),
    only('leader', ['core', 'postgres']),
    only('observe', ['core']),
    only('admin', ['core', 'observe', 'tls']),
    only('verify', ['core', 'postgres', 'publish', 'route']),
    // What applications import: the back-off and the reading of Postgres errors are core's, the rest is their own.
    only('resilience', ['core']),
    only('client', ['core', 'resilience']),
    only('inbox', ['core', 'resilience']),
    {
      name: 'the-daemon-knows-nothing-of-what-applications-import',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(client|inbox|resilience)/' },
      to: { path: '^src/(client|inbox|resilience)/' },
    },
    {
      name: 'only-app-and-cli-know-everything',
      severity: 'error',
      from: { path: '^src/', pathNot: ['^src/app\\.ts$', '^src/app/', '^src/cli/', '^src/main\\.ts$'] },
      to: { path: ['^src/app\\.ts$', '^src/app/', '^src/cli/', '^src/main\\.ts$'] },
    },
    {
      name: 'core-does-no-io',
      severity: 'error',
      from: { path: '^src/core/' },
      to: { dependencyTypes: ['core', 'npm'], pathNot: ['^node:util$'] },
    },
  ],
  options: {
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
  },
};
