// What the build makes importable.
declare module '*.wasm' {
  const file: string;
  export default file;
}

declare module '*/build/webapp/core.js' {
  import type { Core } from './engine/serve';
  const init: (options: { module_or_path: unknown }) => Promise<unknown>;
  export default init;
  export const version: Core['version'];
  export const check: Core['check'];
  export const import_toml: Core['import_toml'];
  export const export_toml: Core['export_toml'];
  export const Panel: Core['Panel'];
}
