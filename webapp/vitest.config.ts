import { defineConfig } from 'vitest/config';

// The page must work in hosts with React 18 and with React 19.
const pageWith = (version: '18' | '19') => ({
  extends: true as const,
  test: { name: `react-${version}`, include: ['test/page/*.test.tsx'], environment: 'jsdom', env: { REACT: version }, setupFiles: ['test/setup.ts'] },
});

export default defineConfig({
  oxc: { jsx: { runtime: 'classic' } },
  test: {
    projects: [
      pageWith('18'),
      pageWith('19'),
      { extends: true as const, test: { name: 'engine', include: ['test/engine/*.test.ts'] } },
    ],
  },
});
