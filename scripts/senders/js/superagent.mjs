// Sends one webhook with superagent, told to retry twice and to take 5 s: what it retries, and when, is its own choice.
//
//   node superagent.mjs FILE URL
import { readFile } from "node:fs/promises";
import superagent from "superagent";

const [file, url] = process.argv.slice(2);
try {
  await superagent.post(url).type("application/json").timeout(5000).retry(2).send(await readFile(file, "utf8"));
} catch (error) {
  console.error(`${error.code}: ${error.message}`);
  process.exitCode = 1;
}
