// All tests, one after the other: they share a browser and a Mattermost server. ONLY takes those whose names fit a pattern.
import { runAll } from '../lib/tests.mjs';
import './setup.test.mjs';
import './trouble.test.mjs';
import './save.test.mjs';
import './files.test.mjs';
import './secrets.test.mjs';
import './keyboard.test.mjs';
import './accessibility.test.mjs';
import './loading.test.mjs';

runAll(process.env.ONLY);
