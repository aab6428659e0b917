// One job a line in, one answer a line out: see ../README.md.
import { createInterface } from "node:readline";

/** Answers every job with what `sign` or `verify` returns, or with why it did not. */
export async function answer(does) {
  for await (const line of createInterface({ input: process.stdin })) {
    const job = JSON.parse(line);
    let said;
    try {
      said = await does[job.do](job);
    } catch (error) {
      said = { error: String(error?.message ?? error) };
    }
    process.stdout.write(`${JSON.stringify(said)}\n`);
  }
}
