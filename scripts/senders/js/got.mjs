// Sends one webhook with got, which is told the method, the body and to try a POST again: the rest is its own choice.
//
//   node got.mjs FILE URL
import { readFile } from "node:fs/promises";
import got from "got";

const [file, url] = process.argv.slice(2);
try {
  await got.post(url, {
    body: await readFile(file),
    headers: { "content-type": "application/json" },
    retry: { methods: ["POST"] },
    timeout: { request: 5000 },
  });
} catch (error) {
  console.error(`${error.code}: ${error.message}`);
  process.exitCode = 1;
}
