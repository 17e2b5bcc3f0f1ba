// What the build makes importable.
declare module 'browser-core/module' {
  const file: string;
  export default file;
}

declare module 'browser-core' {
  import type { Core } from './engine/serve';
  const init: (options: { module_or_path: unknown }) => Promise<unknown>;
  export default init;
  export const version: Core['version'];
  export const check: Core['check'];
  export const importToml: Core['importToml'];
  export const exportToml: Core['exportToml'];
  export const guide: Core['guide'];
  export const Panel: Core['Panel'];
}
