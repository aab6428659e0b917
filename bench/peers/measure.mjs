// Answers jobs, one line each, with the nanoseconds of processor time that one call takes.
import { createInterface } from "node:readline";

/** `prepare(job)` gives what is called: it throws, or rejects, unless the token is good. */
export async function answer(prepare) {
  for await (const line of createInterface({ input: process.stdin })) {
    const job = JSON.parse(line);
    const call = await prepare(job);
    const first = call();
    const perCall = first instanceof Promise ? perAwaited : perDone;
    await first;
    console.log(JSON.stringify({ ns: await perCall(call, job.for_ms * 1e6) }));
  }
}

/** Nanoseconds for one call, over as many as fill the time. */
function perDone(call, enough) {
  for (let calls = 1; ; ) {
    const began = process.cpuUsage();
    for (let n = 0; n < calls; n++) call();
    const took = since(began);
    if (took >= enough) return took / calls;
    calls *= took * 10 < enough ? 10 : 2;
  }
}

async function perAwaited(call, enough) {
  for (let calls = 1; ; ) {
    const began = process.cpuUsage();
    for (let n = 0; n < calls; n++) await call();
    const took = since(began);
    if (took >= enough) return took / calls;
    calls *= took * 10 < enough ? 10 : 2;
  }
}

/** On all threads: the library may have used several. */
function since(began) {
  const { user, system } = process.cpuUsage(began);
  return (user + system) * 1000;
}
