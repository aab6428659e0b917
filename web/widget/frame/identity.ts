/**
 * Who the visitor is: the life of sessions in this frame.
 *
 * The page says who is logged in, the server says whether that is so, and this
 * module makes the view follow both. Nothing here looks inside a token.
 *
 * What always holds:
 *
 * - One session, in memory. Storage has the anonymous visitor's secret and the
 *   proof key only (S1).
 * - What was refused is never taken for absent: only the page's `null` goes on
 *   anonymously (E2).
 * - Everything of one visitor is gone before anything of another is asked for (S3).
 * - Exchanges run one after the other. Leaving does not wait for them: what they
 *   bring back afterwards is thrown away and ended.
 */
import type { Opened } from "../../protocol/index.ts";
import type { Answer, Failure, Reason, Standing } from "../channel.ts";
import { failureOf, isPassing, Over, Refused } from "./api.ts";
import { Exchange, type Made, type Means } from "./exchange.ts";
import type { Others } from "./others.ts";
import { asked, type Page } from "./page.ts";
import { Renewal } from "./renewal.ts";
import type { Phase } from "./state.ts";
import { Visit } from "./visit.ts";

export type Parts = Means & {
  readonly page: Page;
  readonly others: Others;
  /** A session was made, or took another's place. */
  readonly entered: (visit: Visit) => void;
  /** Resolves when somebody looks at this tab, and the page had a moment to finish a logout. */
  readonly attended: () => Promise<void>;
};

/** A token that is good once was shown twice: the answer to the first time got lost (T9). */
class Spent extends Error {}

export class Identity {
  #visit: Visit | null = null;
  /** The page has named a visitor and has not taken it back. */
  #named = false;
  /** A token that got no verdict, since the server was away. */
  #undecided: string | null = null;
  /** Counts what the page was asked; only the last answer counts. */
  #asked = 0;
  /** Counts departures; what was begun before one is void after it. */
  #era = 0;
  #chain: Promise<unknown> = Promise.resolve();
  readonly #exchange: Exchange;
  readonly #renewal: Renewal;

  constructor(private readonly parts: Parts) {
    parts.others.onLeft = (contact) => void this.#leftElsewhere(contact);
    parts.others.onIs = (contact) => void this.#namedElsewhere(contact);
    this.#exchange = new Exchange(parts);
    this.#renewal = new Renewal(() => parts.api.now(), () => this.#renew());
  }

  get visit(): Visit | null {
    return this.#visit;
  }

  get standing(): Standing {
    const { phase } = this.parts.store.state;
    return phase.name === "live" ? { assurance: phase.assurance, contact: phase.contact } : { assurance: null, contact: null };
  }

  /** Asks the page who is logged in, and follows its answer. */
  async identify(reason: Reason): Promise<Standing> {
    const number = ++this.#asked;
    const era = this.#era;
    if (!this.#visit && this.parts.store.state.phase.name !== "renewing") this.parts.store.dispatch({ type: "connecting", named: true });
    const answer = await asked(this.parts.page, reason, this.#visit?.signal);
    return this.#unlessSpent(async () => {
      if (number !== this.#asked || era !== this.#era) throw new Over("asked again meanwhile");
      await this.#follow(answer, reason, era);
      // What the page says of its own accord is news to other tabs; what it says because they asked is none.
      if (reason === "start" && answer.kind !== "none") this.parts.others.is(this.#visit?.contact?.id ?? null);
      return this.standing;
    });
  }

  /** The page has another token, where the one at hand was good once. */
  async #unlessSpent(run: () => Promise<Standing>): Promise<Standing> {
    try {
      return await this.#inTurn(run);
    } catch (error) {
      if (!(error instanceof Spent)) throw error;
      return this.identify("unauthorized");
    }
  }

  /** A page came back from the back/forward cache: whoever is here is asked for again (T16). */
  async recheck(): Promise<void> {
    await this.identify("start").catch(() => undefined);
    await this.#chain;
  }

  /** The browser has a network again: what could not be done without is tried once more. */
  async connected(): Promise<void> {
    const { name } = this.parts.store.state.phase;
    if (name === "failed" || name === "expired") await this.retry();
  }

  /** The window was opened: somebody needs a session now. */
  async wanted(): Promise<void> {
    if (this.parts.store.state.phase.name !== "idle") return;
    await this.#anonymous(this.#era);
  }

  /** The visitor left: everything of theirs goes, here and in other tabs (S5). */
  async logout(): Promise<void> {
    const farewell = this.#leave(null);
    this.parts.page.emit("logout");
    if (this.parts.store.state.open) void this.#anonymous(this.#era).catch(() => undefined);
    await farewell;
  }

  /** The visitor wants everything that is kept of them erased. It is gone here at once, and nobody is asked who comes next. */
  async forget(): Promise<void> {
    const era = this.#era;
    await this.#inTurn(async () => {
      const visit = this.#visit;
      if (!visit) throw new Over("the visitor has gone");
      await this.#exchange.erase(visit.pass);
      if (era !== this.#era) return;
      this.#drop();
      void this.#leave(visit.contact?.id ?? null);
      this.#lock({ name: "erased", named: visit.contact !== null });
      this.parts.page.emit("logout");
    });
  }

  /** The visitor asks to try once more. */
  async retry(): Promise<void> {
    const token = this.#undecided;
    const era = this.#era;
    this.parts.store.dispatch({ type: "connecting", named: true });
    if (token === null) return void (await this.identify("unauthorized"));
    await this.#unlessSpent(async () => {
      await this.#show(token, era);
      return this.standing;
    });
  }

  /** The server does not know the session `used` any more. Gives the visit in which the same visitor goes on. */
  async gone(visit: Visit, used: string, code: string): Promise<Visit | null> {
    // The answer of an upgrade may still be on its way.
    await this.#chain;
    if (visit === this.#visit && !visit.signal.aborted) {
      if (visit.session !== used) return visit;
      this.#drop();
      visit.heir = visit.contact ? this.#renewed(visit, code) : this.#replaced(code);
    }
    return visit.heir;
  }

  /** The session of a verified `visit` is no more; the page is asked for a new token, and until then all is locked (S2). */
  async #renewed(visit: Visit, code: string): Promise<Visit | null> {
    const due = this.#renewal.isDue();
    this.#lock({ name: due ? "renewing" : "expired" });
    try {
      if (due) await this.identify("unauthorized");
    } catch (error) {
      if (error instanceof Over) return null;
    }
    if (this.#visit) return this.#heirOf(visit);
    // Where the page has said that nobody is logged in, that is another story, and was told.
    if (this.#named) this.parts.page.emit("session_expired", { code });
    return null;
  }

  /** The visit that there is, if it is the same visitor's as `visit` was. */
  #heirOf(visit: Visit): Visit | null {
    return this.#visit?.contact?.id === visit.contact?.id ? this.#visit : null;
  }

  /** The session of an anonymous visitor is no more; they need not know. */
  async #replaced(code: string): Promise<Visit | null> {
    if (!this.#renewal.isDue()) {
      this.#lock({ name: "failed", code, message: "The chat could not be started." });
      return null;
    }
    this.#lock({ name: "connecting", named: false });
    await this.#anonymous(this.#era).catch(() => undefined);
    return this.#visit;
  }

  /** Without a network no page can say who is there, which is no word against the session at hand. */
  #renew(): void {
    if (this.parts.store.state.online) void this.identify("renew").catch(() => undefined);
    else this.#renewal.at(null);
  }

  async #follow(answer: Answer, reason: Reason, era: number): Promise<void> {
    switch (answer.kind) {
      case "token":
        this.#named = true;
        return this.#show(answer.token, era);
      case "nobody":
        this.#named = false;
        this.#undecided = null;
        if (this.#here !== null) {
          void this.#leave(this.#here);
          this.parts.page.emit("logout");
        }
        return this.#unnamed(this.#era);
      case "unavailable":
        this.#named = true;
        return this.#refuse(
          { code: "token_unavailable", message: answer.message, hint: "getToken must give a token, or null when nobody is logged in" },
          reason === "start" ? { name: "refused", code: "token_unavailable", message: "" } : { name: "expired" },
        );
      case "none":
        if (reason === "renew") return;
        if (!this.#named) return this.#unnamed(era);
        return this.#unanswered();
      default:
        answer satisfies never;
    }
  }

  /** Nobody is named: goes on with the anonymous session, or makes one if the window is open. */
  async #unnamed(era: number): Promise<void> {
    if (this.#visit) return;
    this.#lock({ name: "idle" });
    if (this.parts.store.state.open) await this.#start(null, era);
  }

  /** A named visitor's session is over or in doubt, and there is no way to ask the page. */
  #unanswered(): void {
    const { phase } = this.parts.store.state;
    const visit = this.#visit;
    if (visit) {
      this.#drop();
      void this.#exchange.end(visit.pass);
      this.parts.page.emit("session_expired", { code: "token_unavailable" });
    }
    this.#lock(phase.name === "refused" ? phase : { name: "expired" });
  }

  #anonymous(era: number): Promise<void> {
    this.parts.store.dispatch({ type: "connecting", named: false });
    return this.#inTurn(async () => {
      if (era === this.#era && !this.#visit) await this.#start(null, era);
    });
  }

  /** Shows the server a token: within the session that there is, or for a new one. */
  async #show(token: string, era: number): Promise<void> {
    const visit = this.#visit;
    if (!visit) return this.#start(token, era);
    this.#undecided = token;
    let opened: Opened;
    try {
      opened = await this.#exchange.identify(visit, token);
    } catch (error) {
      if (era !== this.#era) throw new Over("the visitor has left");
      if (error instanceof Refused && error.code === "identity_mismatch") {
        void this.#leave(visit.contact?.id ?? null);
        this.#named = true;
        this.parts.page.emit("identify_failed", failureOf(error));
        return this.#start(token, this.#era);
      }
      if (error instanceof Refused && error.isSessionGone) {
        this.#drop();
        this.#lock({ name: "connecting", named: true });
        await this.#start(token, era);
        visit.heir = Promise.resolve(this.#heirOf(visit));
        return;
      }
      return this.#failed(error, true);
    }
    await this.#accept({ opened, key: visit.pass.key }, era);
  }

  /** Makes a session: for the visitor of the token, or an anonymous one. */
  async #start(token: string | null, era: number): Promise<void> {
    const { store } = this.parts;
    this.#undecided = token;
    if (store.state.phase.name !== "renewing") store.dispatch({ type: "connecting", named: token !== null });
    let made: Made;
    try {
      made = await this.#exchange.open(token);
    } catch (error) {
      if (era !== this.#era) throw new Over("the visitor has left");
      return this.#failed(error, token !== null);
    }
    await this.#accept(made, era);
  }

  async #accept({ opened, key }: Made, era: number): Promise<void> {
    const { keep, store, page, entered, api } = this.parts;
    if (era !== this.#era) {
      // The visitor left while the server was busy. Nobody will use this session.
      await this.#exchange.end({ session: opened.session, key });
      throw new Over("the visitor has left");
    }
    this.#undecided = null;
    const before = this.#visit?.contact?.id;
    if (opened.contact) keep.clear("visitor", "draft");
    else if (opened.visitor) keep.write("visitor", opened.visitor);
    if (this.#visit) this.#visit.adopt(opened);
    else this.#visit = new Visit(opened, key, api, (visit, used, code) => this.gone(visit, used, code));
    store.dispatch({ type: "signed_in", opened });
    if (opened.renew_at !== undefined) this.#renewal.at(opened.renew_at);
    entered(this.#visit);
    // A renewal is nobody's news.
    if (opened.contact && opened.contact.id !== before) page.emit("identified", { assurance: opened.assurance, contact: opened.contact });
  }

  /** No session came of it. Says why, to the page and to the visitor. */
  #failed(error: unknown, named: boolean): never {
    if (!(error instanceof Error) || error instanceof Over) throw error;
    const why = failureOf(error);
    if (why.code === "token_replayed" && this.#renewal.isDue()) throw new Spent();
    if (why.code === "token_required") {
      this.#lock({ name: "sign_in" });
      throw error;
    }
    if (isPassing(error)) {
      // A verified session that could not be renewed now is good until it ends.
      if (this.#visit?.contact) this.#renewal.at(null);
      else this.#fail({ name: "failed", code: why.code, message: "" });
    } else {
      this.#undecided = null;
      const refused = named && error instanceof Refused && error.status === 401;
      this.#fail({ name: refused ? "refused" : "failed", code: why.code, message: why.message });
    }
    this.parts.page.emit(named ? "identify_failed" : "error", why);
    throw error;
  }

  #refuse(why: Failure, phase: Phase): never {
    this.#fail(phase);
    this.parts.page.emit("identify_failed", why);
    throw Object.assign(new Error(why.message), why);
  }

  /** Locks the view; a verified session that was open is ended, since it is in doubt who is there. */
  #fail(phase: Phase): void {
    const visit = this.#visit;
    this.#drop();
    if (visit?.contact) void this.#exchange.end(visit.pass);
    this.#lock(phase);
  }

  #lock(phase: Phase): void {
    this.parts.store.dispatch({ type: "locked", phase });
  }

  /** The contact whom this tab shows, or keeps something of behind a lock. */
  get #here(): string | null {
    const { held } = this.parts.store.state;
    return this.#visit?.contact?.id ?? (held && held.owner !== "anonymous" ? held.owner : null);
  }

  /** Ends the visit here, without a word to the server. */
  #drop(): void {
    this.#renewal.stop();
    this.#visit?.end();
    this.#visit = null;
  }

  /** Everything of the visitor goes at once; resolves when the server knows. */
  async #leave(contact: string | null, tell = true): Promise<void> {
    const { store, keep, keyring, others } = this.parts;
    const visit = this.#visit;
    this.#era++;
    this.#asked++;
    this.#named = false;
    this.#undecided = null;
    this.#drop();
    store.dispatch({ type: "forgotten" });
    keep.clear();
    if (tell) keyring.forget();
    else keyring.drop();
    if (tell) others.left(contact);
    if (visit) await this.#exchange.end(visit.pass);
  }

  /** Another tab's visitor left: so did this one's, unless it is known to be somebody else. */
  async #leftElsewhere(contact: string | null): Promise<void> {
    const here = this.#here;
    if (contact !== null && here !== null && here !== contact) return;
    void this.#leave(contact, false);
    if (here !== null) this.parts.page.emit("logout");
    this.#lock({ name: "connecting", named: true });
    await this.#askedAgain(null);
  }

  /**
   * Another tab's page says that somebody else is logged in than is shown here, or
   * nobody. Whom this tab shows is in doubt, and its own page is asked again (S3).
   */
  async #namedElsewhere(contact: string | null): Promise<void> {
    const visit = this.#visit;
    const shown = visit ? (visit.contact?.id ?? null) : null;
    if (shown === contact && (visit || this.#here === null)) return;
    if (this.#here !== null) {
      this.#era++;
      this.#drop();
      if (visit) void this.#exchange.end(visit.pass);
      this.#lock({ name: "renewing" });
    }
    await this.#askedAgain(contact);
  }

  /** Asks the page when somebody looks, unless it has named `contact` by then. */
  async #askedAgain(contact: string | null): Promise<void> {
    const era = this.#era;
    await this.parts.attended();
    if (era !== this.#era || (this.#visit && (this.#visit.contact?.id ?? null) === contact)) return;
    await this.identify("unauthorized").catch(() => undefined);
  }

  #inTurn<T>(run: () => Promise<T>): Promise<T> {
    const turn = this.#chain.then(run);
    this.#chain = turn.catch(() => undefined);
    return turn;
  }
}
