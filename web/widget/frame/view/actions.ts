import type { Conversation, TranscriptFormat } from "../../../protocol/index.ts";

/** What the visitor can do. The view calls these and changes nothing itself. */
export type Actions = {
  readonly send: (text: string) => void;
  readonly retryMessage: (id: string) => void;
  readonly compose: (text: string) => void;
  readonly close: () => void;
  readonly retryIdentity: () => void;
  readonly openList: () => void;
  readonly closeList: () => void;
  readonly search: (query: string) => void;
  /** Opens a conversation, at the entry that was searched for, or a blank page. */
  readonly show: (conversation: Conversation | null, sought?: number) => void;
  readonly stop: () => void;
  readonly askTitle: () => void;
  readonly rename: (title: string) => void;
  readonly end: () => void;
  readonly reopen: () => void;
  readonly rate: (score: number, comment: string | null) => void;
  readonly download: (format: TranscriptFormat) => void;
  readonly askForget: () => void;
  readonly forget: () => void;
  readonly leavePanel: () => void;
  readonly notMine: () => void;
  readonly openCode: () => void;
  readonly closeCode: () => void;
  readonly sendCode: (email: string) => void;
  readonly mendAddress: () => void;
  readonly verifyCode: (code: string) => void;
};
