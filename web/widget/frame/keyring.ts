/**
 * The proof key of this browser: one for all its tabs that show the same agent,
 * kept in IndexedDB as a key that cannot be exported (S4).
 *
 * Where that is blocked, empty, broken or slow, a key in memory does until the
 * page is left. Nothing else is ever put into the database (S1).
 */
import { ProofKey, type PublicKey } from "./proof.ts";

const DATABASE = "maitred";
const KEYS = "keys";
/** Some browsers leave the opening of a database without an answer. */
const PATIENCE = 1000;

type Kept = { readonly pair: CryptoKeyPair; readonly jwk: PublicKey };

const done = <T>(request: IDBRequest<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

export class Keyring {
  #key: Promise<ProofKey | null> | undefined;
  #forgotten: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly name: string,
    private readonly databases: () => IDBFactory = () => indexedDB,
    private readonly patience = PATIENCE,
  ) {}

  /** The key, made if there is none yet; `null` where there is no cryptography: outside a secure context. */
  key(): Promise<ProofKey | null> {
    this.#key ??= this.#forgotten.then(() => this.#find()).catch(() => null);
    return this.#key;
  }

  /** Looks for the key again when it is next needed: another tab has forgotten it. */
  drop(): void {
    this.#key = undefined;
  }

  /** Forgets the key: the next visitor gets one of their own. A newer one that another tab made meanwhile stays. */
  forget(): void {
    const known = this.#key;
    this.drop();
    this.#forgotten = this.#forgotten.then(async () => {
      const key = await known;
      await this.#inStore(async (keys) => {
        const kept = await this.#read(keys);
        if (kept && (!key || kept.isSameAs(key))) await done(keys.delete(this.name));
      }).catch(() => undefined);
    });
  }

  async #find(): Promise<ProofKey> {
    try {
      return (await this.#inStore((keys) => this.#read(keys))) ?? (await this.#keep(await ProofKey.make()));
    } catch {
      return ProofKey.make();
    }
  }

  async #keep(made: ProofKey): Promise<ProofKey> {
    const { pair, jwk } = made;
    return this.#inStore(async (keys) => {
      // Another tab may have been quicker; then its key is everybody's.
      const quicker = await this.#read(keys);
      if (!quicker) await done(keys.put({ pair, jwk } satisfies Kept, this.name));
      return quicker ?? made;
    });
  }

  async #read(keys: IDBObjectStore): Promise<ProofKey | null> {
    const kept = (await done(keys.get(this.name))) as Partial<Kept> | undefined;
    // A browser that cannot unlock the key any more gives back the rest without it.
    return kept?.pair?.privateKey && kept.jwk ? new ProofKey(kept.pair, kept.jwk) : null;
  }

  /** Does `run` in one transaction, which no other tab's comes between. */
  async #inStore<T>(run: (keys: IDBObjectStore) => Promise<T>): Promise<T> {
    const database = await this.#opened();
    try {
      return await run(database.transaction(KEYS, "readwrite").objectStore(KEYS));
    } finally {
      // One that stays open keeps the page out of the back/forward cache.
      database.close();
    }
  }

  async #opened(): Promise<IDBDatabase> {
    const opening = this.databases().open(DATABASE, 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore(KEYS);
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error("the database does not open")), this.patience);
    });
    try {
      return await Promise.race([done(opening), late]);
    } catch (error) {
      opening.onsuccess = () => opening.result.close();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }
}
