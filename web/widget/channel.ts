/**
 * The typed messages between the host page and the frame.
 *
 * They travel on one `MessageChannel` port, which the loader hands over with an
 * exact target origin. Both sides parse what arrives: a message that is not of
 * these shapes does not exist.
 */

/** Why the page is asked who is logged in. */
export type Reason = "start" | "renew" | "unauthorized";

/** What the page answered. */
export type Answer =
  | { readonly kind: "token"; readonly token: string }
  /** Nobody is logged in, and the page knows it. */
  | { readonly kind: "nobody" }
  /** The page was asked and could not say. */
  | { readonly kind: "unavailable"; readonly message: string }
  /** The page gave no way to ask. */
  | { readonly kind: "none" };

export type Failure = { readonly code: string; readonly message: string; readonly hint?: string };

export type EventName =
  | "ready"
  | "identified"
  | "identify_failed"
  | "session_expired"
  | "logout"
  | "open"
  | "close"
  | "unread"
  | "message_sent"
  | "message_received"
  | "conversation_started"
  | "action_started"
  | "action_finished"
  | "error";

export type Detail = { readonly [name: string]: unknown };

export type Theme = "light" | "dark" | "auto";

export type Preferences = { readonly locale?: string; readonly theme?: Theme; readonly context?: unknown };

/** What the frame tells the loader about the visitor, for `state`. */
export type Standing = {
  readonly assurance: string | null;
  readonly contact: { readonly id: string; readonly name: string | null } | null;
};

export type ToFrame =
  | { readonly type: "identify"; readonly id: number }
  | { readonly type: "logout"; readonly id: number }
  | { readonly type: "send"; readonly id: number; readonly text: string }
  | { readonly type: "prefill"; readonly text: string }
  | { readonly type: "shown"; readonly open: boolean }
  | ({ readonly type: "set" } & Preferences)
  | { readonly type: "answer"; readonly id: number; readonly answer: Answer };

export type ToPage =
  | {
      readonly type: "look";
      readonly accent: string;
      readonly ink: string;
      readonly position: "left" | "right";
      readonly name: string;
      /** The agent takes a token once. */
      readonly once: boolean;
    }
  | { readonly type: "ask"; readonly id: number; readonly reason: Reason }
  | { readonly type: "event"; readonly name: EventName; readonly detail: Detail }
  | ({ readonly type: "standing" } & Standing)
  | { readonly type: "done"; readonly id: number; readonly value?: unknown; readonly failure?: Failure }
  | { readonly type: "close" };

/** The first and only message that is not sent on the port: it carries the port. */
export const HELLO = "maitred";

type Fields = { readonly [name: string]: unknown };

const fields = (data: unknown): Fields | null =>
  typeof data === "object" && data !== null ? (data as Fields) : null;

const isTheme = (value: unknown): value is Theme => value === "light" || value === "dark" || value === "auto";

function readAnswer(data: unknown): Answer | null {
  const answer = fields(data);
  switch (answer?.kind) {
    case "token":
      return typeof answer.token === "string" ? { kind: "token", token: answer.token } : null;
    case "unavailable":
      return { kind: "unavailable", message: String(answer.message ?? "") };
    case "nobody":
      return { kind: "nobody" };
    case "none":
      return { kind: "none" };
    default:
      return null;
  }
}

/** Parses what the host page sent to the frame. */
export function readToFrame(data: unknown): ToFrame | null {
  const message = fields(data);
  if (!message) return null;
  const { type, id, text } = message;
  switch (type) {
    case "identify":
    case "logout":
      return typeof id === "number" ? { type, id } : null;
    case "send":
      return typeof id === "number" && typeof text === "string" ? { type, id, text } : null;
    case "prefill":
      return typeof text === "string" ? { type, text } : null;
    case "shown":
      return { type, open: message.open === true };
    case "set":
      return {
        type,
        ...(typeof message.locale === "string" && { locale: message.locale }),
        ...(isTheme(message.theme) && { theme: message.theme }),
        ...("context" in message && { context: message.context }),
      };
    case "answer": {
      const answer = readAnswer(message.answer);
      return typeof id === "number" && answer ? { type, id, answer } : null;
    }
    default:
      return null;
  }
}

/** Calls `receive` with the port and origin of the page that embeds this frame, each time one is handed over. */
export function acceptPorts(frame: Window, receive: (port: MessagePort, origin: string) => void): void {
  frame.addEventListener("message", (event: MessageEvent) => {
    const port = event.ports[0];
    // Anyone may post to this window; only the page around it is heard (W5).
    if (event.source !== frame.parent || frame.parent === frame) return;
    if (event.data !== HELLO || !port) return;
    receive(port, event.origin);
  });
}
