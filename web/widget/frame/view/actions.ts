import type { Conversation } from "../../../protocol/index.ts";

/** What the visitor can do. The view calls these and changes nothing itself. */
export type Actions = {
  readonly send: (text: string) => void;
  readonly retryMessage: (id: string) => void;
  readonly compose: (text: string) => void;
  readonly close: () => void;
  readonly retryIdentity: () => void;
  readonly openList: () => void;
  readonly closeList: () => void;
  readonly show: (conversation: Conversation | null) => void;
  readonly notMine: () => void;
  readonly openCode: () => void;
  readonly closeCode: () => void;
  readonly sendCode: (email: string) => void;
  readonly mendAddress: () => void;
  readonly verifyCode: (code: string) => void;
};
