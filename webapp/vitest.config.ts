import { defineConfig } from 'vitest/config';

// The page must work in hosts with React 17, 18 and 19.
const pageWith = (version: '17' | '18' | '19') => ({
  extends: true as const,
  resolve: { alias: version === '18' ? [] : [{ find: /^(react|react-dom)(?=$|\/)/, replacement: `$1-${version}` }] },
  test: { name: `react-${version}`, include: ['test/page/*.test.tsx'], environment: 'jsdom', env: { REACT: version }, setupFiles: ['test/setup.ts'] },
});

export default defineConfig({
  oxc: { jsx: { runtime: 'classic' } },
  test: {
    // Generous, for machines that do other things too.
    testTimeout: 60_000,
    projects: [
      pageWith('17'),
      pageWith('18'),
      pageWith('19'),
      {
        extends: true as const,
        resolve: { alias: { 'browser-core': new URL('../build/webapp/core.js', import.meta.url).pathname } },
        test: { name: 'engine', include: ['test/engine/*.test.ts'] },
      },
    ],
  },
});
