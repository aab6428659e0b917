/**
 * The visitor API (`/v1`) as the widget sees it.
 *
 * Names are those of the wire: snake_case, times as RFC 3339 text, prefixed ids.
 */

/** How far the server knows who the visitor is. Only the server computes it. */
export type Assurance = "anonymous" | "claimed" | "code" | "verified" | "fresh";

/** The agent as the public may know it. */
export type Agent = {
  readonly id: string;
  readonly environment: string;
  readonly name: string;
  readonly suggestions: readonly string[];
  readonly sign_in_url: string | null;
  readonly appearance: { readonly accent: string | null; readonly position: string };
};

/** The answer of `GET /v1/agents/{agent}/{environment}`: what is shown before there is a session. */
export type PublicAgent = Agent & {
  readonly greeting: string;
  readonly enforcement: string;
  readonly proof_of_possession?: ProofPolicy;
  /** Addresses can be proven by a code that is sent to them. */
  readonly codes?: boolean;
  /** A token is accepted once. */
  readonly one_time_tokens?: boolean;
};

/** Whether sessions are bound to a key of the visitor's browser (S4). */
export type ProofPolicy = "off" | "when_available" | "required";

/** The visitor as the site vouched for them. */
export type Contact = { readonly id: string; readonly name: string | null };

/** The answer of `POST /v1/sessions` and `POST /v1/session/identity`. */
export type Opened = {
  readonly session: string;
  readonly expires_at: string;
  /** When to ask the page for the next token. Absent when no token is behind the session. */
  readonly renew_at?: string;
  readonly assurance: Assurance;
  readonly contact?: Contact;
  /** The member of staff who acts as the contact, as the site names them. */
  readonly actor?: { readonly id: string };
  /** An operator tries something, in staging (A4). */
  readonly test?: boolean;
  /** The contact's address, which the site named and does not vouch for: a code can prove it (T5). */
  readonly claimed_email?: string;
  /** The anonymous visitor's secret. Absent once the visitor is verified. */
  readonly visitor?: string;
  readonly greeting: string;
  /** The conversation to resume, if there is one. */
  readonly conversation?: Conversation;
  readonly agent: Agent;
};

/** The answer of `GET /v1/session` and `POST /v1/code/verification`. */
export type SessionView = {
  readonly expires_at: string;
  readonly assurance: Assurance;
  readonly contact?: Contact;
  /** The address that a code has proven, and until when that counts. */
  readonly proven?: { readonly email: string; readonly expires_at: string };
};

export type Author = "visitor" | "agent" | "operator";

export type Conversation = {
  readonly id: string;
  readonly title: string | null;
  readonly opened_at: string;
  readonly updated_at: string;
  readonly closed_at: string | null;
  readonly last_message: { readonly by: Author; readonly text: string; readonly at: string } | null;
  readonly from_before_sign_in: boolean;
  /** The number of the last entry that the visitor has read, on any device. */
  readonly read_to: number;
  /** How many messages of the agent or an operator come after it. */
  readonly unread: number;
  readonly rating: Rating | null;
};

/** What the visitor thinks of a conversation, from 1 to 5. */
export type Rating = { readonly score: number; readonly comment: string | null };

/** A conversation that a search has found, and where; nothing if it was the title. */
export type Found = Conversation & { readonly match: { readonly number: number; readonly text: string } | null };

/** What can be changed of a conversation. A title of `null` is the automatic one. */
export type ConversationChanges = { readonly title?: string | null; readonly closed?: boolean };

export type TranscriptFormat = "text" | "json";

type Common = {
  readonly id: string;
  readonly conversation: string;
  /** Counts up within one conversation. */
  readonly number: number;
  readonly at: string;
};

export type Citation = { readonly number: number; readonly title: string; readonly url: string };

export type MessageEntry = Common & {
  readonly kind: "message";
  readonly by: Author;
  /** Markdown from the agent, plain text from people. */
  readonly text: string;
  readonly citations?: readonly Citation[];
  readonly client_id?: string;
};

export type Outcome = "succeeded" | "failed" | "refused" | "unknown";

export type CallEntry = Common & {
  readonly kind: "call";
  readonly call: string;
  readonly action: string;
  readonly phase: "started" | "finished";
  readonly label: string;
  readonly outcome?: Outcome;
  /** What was asked and what was answered, in words. */
  readonly details?: readonly (readonly [string, string])[];
};

export type StatusEntry = Common & {
  readonly kind: "status";
  readonly status: string;
  /** Words for the visitor; empty when there is nothing to show. */
  readonly text: string;
};

export type Entry = MessageEntry | CallEntry | StatusEntry;

export type Page<Item> = { readonly items: readonly Item[]; readonly next: string | null };

/** The answer to a message: the stored entry, and whether it was there before. */
export type Posted = { readonly entry: Entry | null; readonly duplicate: boolean };

/** Why the server said no. `code` is stable, the rest is for people. */
export type Problem = { readonly code: string; readonly message: string; readonly hint?: string };
