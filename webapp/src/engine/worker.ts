// The worker: the only place where the page's policy lets WebAssembly be compiled. It is loaded from a file of its own,
// because blobs are refused, and takes its policy from that file's response.
import init, * as core from 'browser-core';
import file from 'browser-core/module';
import { serve } from './serve';

void serve(self, async () => {
  // The module lies beside this script.
  await init({ module_or_path: fetch(new URL(file, self.location.href)) });
  return core;
});
