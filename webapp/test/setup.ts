// Runs the page's tests with the React that REACT names, because a host has one of them.
import Module from 'node:module';
import { join } from 'node:path';

import { afterEach, expect, vi } from 'vitest';

const version = process.env.REACT ?? '';
if (version !== '18') {
  type Resolve = (request: string, ...rest: unknown[]) => string;
  const module = Module as unknown as { _resolveFilename: Resolve };
  const resolve = module._resolveFilename;
  const client = join(import.meta.dirname, 'client-17.cjs');
  module._resolveFilename = (request, ...rest) => {
    if (version === '17' && request === 'react-dom/client') return client;
    return resolve(request.replace(/^(react|react-dom)(?=$|\/)/, `$1-${version}`), ...rest);
  };
}
vi.stubGlobal('IS_REACT_ACT_ENVIRONMENT', true);

// jsdom lacks it.
if (!('text' in Blob.prototype)) {
  Object.defineProperty(Blob.prototype, 'text', {
    value(this: Blob) {
      return new Promise<string>((resolve, reject) => {
        const reader = new FileReader();
        reader.onload = () => resolve(reader.result as string);
        reader.onerror = () => reject(new Error('unreadable'));
        reader.readAsText(this);
      });
    },
  });
}

const { cleanup, configure } = await import('@testing-library/react');
const React = await import('react');
expect(React.version.split('.')[0]).toBe(version);
configure({ asyncUtilTimeout: 20_000 });
afterEach(cleanup);
