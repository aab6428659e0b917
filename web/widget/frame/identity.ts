/**
 * Who the visitor is: the life of sessions in this frame.
 *
 * The page says who is logged in, the server says whether that is so, and this
 * module makes the view follow both. Nothing here looks inside a token.
 *
 * What always holds:
 *
 * - One session, in memory. Storage has the anonymous visitor's secret only (S1).
 * - What was refused is never taken for absent: only the page's `null` goes on
 *   anonymously (E2).
 * - Everything of one visitor is gone before anything of another is asked for (S3).
 * - Exchanges run one after the other. Leaving does not wait for them: what they
 *   bring back afterwards is thrown away and ended.
 */
import type { Opened } from "../../protocol/index.ts";
import type { Answer, Detail, EventName, Failure, Reason, Standing } from "../channel.ts";
import { isPassing, Over, persist, Refused, type Api } from "./api.ts";
import type { Others } from "./others.ts";
import type { Phase } from "./state.ts";
import type { Keep } from "./storage.ts";
import type { Store } from "./store.ts";
import { Visit } from "./visit.ts";

export type Page = {
  readonly ask: (reason: Reason) => Promise<Answer>;
  readonly emit: (name: EventName, detail?: Detail) => void;
};

export type Place = { readonly agent: string; readonly environment: string; readonly page_origin: string };

export type Parts = {
  readonly api: Api;
  readonly store: Store;
  readonly keep: Keep;
  readonly page: Page;
  readonly place: Place;
  readonly others: Others;
  /** A session was made, or took another's place. */
  readonly entered: (visit: Visit) => void;
  /** Resolves when somebody looks at this tab, and the page had a moment to finish a logout. */
  readonly attended: () => Promise<void>;
};

/** At most one renewal after a 401 in this time (S2). */
const RENEWAL_PAUSE = 30_000;

const TRIES = 4;

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
  #renewedAt = -Infinity;
  #renewal: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly parts: Parts) {
    parts.others.onLeft = (contact) => void this.#leftElsewhere(contact);
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
    const asked = ++this.#asked;
    const era = this.#era;
    if (!this.#visit && this.parts.store.state.phase.name !== "renewing") this.parts.store.dispatch({ type: "connecting", named: true });
    const answer = await this.parts.page.ask(reason);
    return this.#inTurn(async () => {
      if (asked !== this.#asked || era !== this.#era) throw new Over("asked again meanwhile");
      await this.#follow(answer, reason, era);
      return this.standing;
    });
  }

  /** A page came back from the back/forward cache: whoever is here is asked for again (T16). */
  async recheck(): Promise<void> {
    await this.identify("start").catch(() => undefined);
    await this.#chain;
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

  /** The visitor asks to try once more. */
  async retry(): Promise<void> {
    const token = this.#undecided;
    const era = this.#era;
    this.parts.store.dispatch({ type: "connecting", named: true });
    if (token !== null) await this.#inTurn(() => this.#exchange(token, era));
    else await this.identify("unauthorized");
  }

  /** The server does not know the session `used` any more. True when `visit` has a newer one and goes on. */
  async gone(visit: Visit, used: string, code: string): Promise<boolean> {
    // The answer of an upgrade may still be on its way.
    await this.#chain;
    if (visit.signal.aborted) return false;
    if (visit.session !== used) return true;
    this.#expired(visit, code);
    return false;
  }

  /** The session of `visit` is no more; the page is asked for a new token. */
  #expired(visit: Visit, code: string): void {
    if (visit !== this.#visit) return;
    const { page } = this.parts;
    const again = performance.now() - this.#renewedAt < RENEWAL_PAUSE;
    this.#renewedAt = performance.now();
    this.#drop();
    if (!visit.contact) {
      if (again) return this.#lock({ name: "failed", code, message: "The chat could not be started." });
      this.#lock({ name: "connecting", named: false });
      void this.#anonymous(this.#era).catch(() => undefined);
      return;
    }
    this.#lock({ name: again ? "expired" : "renewing" });
    page.emit("session_expired", { code });
    if (!again) void this.identify("unauthorized").catch(() => undefined);
  }

  async #follow(answer: Answer, reason: Reason, era: number): Promise<void> {
    switch (answer.kind) {
      case "token":
        this.#named = true;
        return this.#exchange(answer.token, era);
      case "nobody":
        this.#named = false;
        this.#undecided = null;
        if (this.#visit?.contact || this.#holdsContact()) {
          const verified = this.#visit !== null;
          void this.#leave(this.#visit?.contact?.id ?? null, verified);
          if (verified) this.parts.page.emit("logout");
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
      void this.#end(visit.session);
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

  async #exchange(token: string, era: number): Promise<void> {
    const visit = this.#visit;
    if (!visit) return this.#start(token, era);
    this.#undecided = token;
    let opened: Opened;
    try {
      opened = await persist(
        () => this.parts.api.json<Opened>("POST", "/v1/session/identity", { session: visit.session, body: { token } }),
        TRIES,
        visit.signal,
      );
    } catch (error) {
      if (era !== this.#era) throw new Over("the visitor has left");
      if (error instanceof Refused && error.code === "identity_mismatch") {
        void this.#leave(visit.contact?.id ?? null);
        this.#named = true;
        this.parts.page.emit("identify_failed", failure(error));
        return this.#start(token, this.#era);
      }
      if (error instanceof Refused && error.isSessionGone) {
        this.#drop();
        this.#lock({ name: "connecting", named: true });
        return this.#start(token, era);
      }
      return this.#failed(error, true);
    }
    await this.#accept(opened, era);
  }

  /** Makes a session: for the visitor of the token, or an anonymous one. */
  async #start(token: string | null, era: number): Promise<void> {
    const { api, keep, place, store } = this.parts;
    this.#undecided = token;
    if (store.state.phase.name !== "renewing") store.dispatch({ type: "connecting", named: token !== null });
    const visitor = keep.read("visitor");
    const body = { ...place, ...(token !== null && { token }), ...(visitor !== null && { visitor }) };
    let opened: Opened;
    try {
      opened = await persist(() => api.json<Opened>("POST", "/v1/sessions", { body }), TRIES);
    } catch (error) {
      if (era !== this.#era) throw new Over("the visitor has left");
      if (error instanceof Refused && error.isSessionGone && visitor !== null) {
        keep.clear("visitor");
        return this.#start(token, era);
      }
      return this.#failed(error, token !== null);
    }
    await this.#accept(opened, era);
  }

  async #accept(opened: Opened, era: number): Promise<void> {
    const { keep, store, page, entered, api } = this.parts;
    if (era !== this.#era) {
      // The visitor left while the server was busy. Nobody will use this session.
      await this.#end(opened.session);
      throw new Over("the visitor has left");
    }
    this.#undecided = null;
    if (opened.contact) keep.clear("visitor", "draft");
    else if (opened.visitor) keep.write("visitor", opened.visitor);
    if (this.#visit) this.#visit.adopt(opened);
    else this.#visit = new Visit(opened, api, (visit, used, code) => this.gone(visit, used, code));
    store.dispatch({ type: "signed_in", opened });
    this.#scheduleRenewal(this.#visit);
    entered(this.#visit);
    if (opened.contact) page.emit("identified", { assurance: opened.assurance, contact: opened.contact });
  }

  /** No session came of it. Says why, to the page and to the visitor. */
  #failed(error: unknown, named: boolean): never {
    if (!(error instanceof Error) || error instanceof Over) throw error;
    const why = failure(error);
    if (error instanceof Refused && error.code === "token_required") {
      this.#lock({ name: "sign_in" });
      throw error;
    }
    if (isPassing(error)) {
      // A verified session that could not be renewed now is good until it ends.
      if (!this.#visit?.contact) this.#fail({ name: "failed", code: why.code, message: "" });
    } else {
      this.#undecided = null;
      const refused = named && error instanceof Refused && error.status !== 403 && error.status !== 404;
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
    if (visit?.contact) void this.#end(visit.session);
    this.#lock(phase);
  }

  #lock(phase: Phase): void {
    this.parts.store.dispatch({ type: "locked", phase });
  }

  #holdsContact(): boolean {
    const { held } = this.parts.store.state;
    return held !== null && held.owner !== "anonymous";
  }

  /** Ends the visit here, without a word to the server. */
  #drop(): void {
    clearTimeout(this.#renewal);
    this.#visit?.end();
    this.#visit = null;
  }

  /** Everything of the visitor goes at once; resolves when the server knows. */
  async #leave(contact: string | null, tell = true): Promise<void> {
    const { store, keep, others } = this.parts;
    const visit = this.#visit;
    this.#era++;
    this.#asked++;
    this.#named = false;
    this.#undecided = null;
    this.#drop();
    store.dispatch({ type: "forgotten" });
    keep.clear();
    if (tell) others.left(contact);
    if (visit) await this.#end(visit.session);
  }

  /** Another tab's visitor left: so did this one's, unless it is known to be somebody else. */
  async #leftElsewhere(contact: string | null): Promise<void> {
    const { store, page, attended } = this.parts;
    const here = this.#visit?.contact?.id ?? null;
    if (contact !== null && here !== null && here !== contact) return;
    const verified = here !== null || this.#holdsContact();
    void this.#leave(contact, false);
    if (verified) page.emit("logout");
    store.dispatch({ type: "locked", phase: { name: "connecting", named: true } });
    const era = this.#era;
    await attended();
    if (era === this.#era) await this.identify("unauthorized").catch(() => undefined);
  }

  async #end(session: string): Promise<void> {
    try {
      await this.parts.api.send("DELETE", "/v1/session", { session, keepalive: true });
    } catch {
      // It ends by itself; nothing here uses it any more.
    }
  }

  #scheduleRenewal(visit: Visit): void {
    clearTimeout(this.#renewal);
    if (!visit.contact) return;
    const left = Date.parse(visit.expiresAt) - this.parts.api.now();
    // Timers count in 32 bits; a day is soon enough to look again.
    const after = Math.min(Math.max(left * 0.75, 30_000), 86_400_000);
    this.#renewal = setTimeout(() => void this.identify("renew").catch(() => undefined), after);
  }

  #inTurn<T>(run: () => Promise<T>): Promise<T> {
    const turn = this.#chain.then(run);
    this.#chain = turn.catch(() => undefined);
    return turn;
  }
}

function failure(error: Error): Failure {
  if (!(error instanceof Refused)) return { code: "unreachable", message: "the server could not be reached" };
  const { code, message, hint } = error;
  return hint === undefined ? { code, message } : { code, message, hint };
}
