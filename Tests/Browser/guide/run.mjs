// node run.mjs SETTING: prints the results of the guide's blocks as JSON.

import { readFileSync } from 'node:fs';

import { everything } from './harness.mjs';

const markdown = readFileSync(new URL('../../../docs/integration-guide.md', import.meta.url), 'utf8');
console.log(JSON.stringify(await everything(markdown, JSON.parse(process.argv[2]))));
