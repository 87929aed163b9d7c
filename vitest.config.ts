import { configDefaults, defineConfig } from 'vitest/config';
import { mutants } from './test/support/mutants/plugin.ts';

export default defineConfig({
  plugins: [mutants()],
  // The package's own name, by which the examples import it, without a build.
  resolve: { tsconfigPaths: true },
  test: {
    pool: 'forks',
    // Services take their share of the machine too.
    maxWorkers: 2,
    teardownTimeout: 30_000,
    reporters: ['default'],
    projects: [
      {
        extends: true,
        test: { name: 'unit', include: ['test/unit/**/*.test.ts'], testTimeout: 15_000 },
      },
      {
        extends: true,
        test: {
          name: 'services',
          include: ['test/{conformance,integration}/**/*.test.ts'],
          exclude: [...configDefaults.exclude, ...(process.env.TEST_LEAVES_OUT ?? '').split(' ').filter(Boolean)],
          globalSetup: ['test/support/global-setup.ts'],
          testTimeout: 60_000,
          hookTimeout: 180_000,
        },
      },
    ],
  },
});
