// A program that answers jobs, one line of JSON each.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

export class Peer {
  #process;
  #lines;

  constructor(command, ...args) {
    this.#process = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
    this.#process.on("error", (error) => {
      throw error;
    });
    this.#lines = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]();
  }

  /** Hands over a job, waits for the answer. */
  async ask(job) {
    this.#process.stdin.write(`${JSON.stringify(job)}\n`);
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(`${this.#process.spawnargs.join(" ")} ended without an answer`);
    return JSON.parse(value);
  }

  end() {
    this.#process.stdin.end();
  }
}
