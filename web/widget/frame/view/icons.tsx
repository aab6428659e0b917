const paths = {
  close: "m6 6 12 12M18 6 6 18",
  menu: "M5 12h.01M12 12h.01M19 12h.01",
  back: "m14 6-6 6 6 6",
  send: "M12 19V5M6 11l6-6 6 6",
  shield: "M12 3.5 5 6v5.5c0 4.2 2.9 7.4 7 9 4.1-1.6 7-4.8 7-9V6l-7-2.5ZM9 12l2.2 2.2L15.2 10",
  list: "M5 6.5h14M5 12h14M5 17.5h9",
  plus: "M12 5v14M5 12h14",
  done: "m6 12.5 4 4 8-9",
  cross: "M12 8v5M12 16h.01M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17Z",
  person: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8ZM4.5 20c.8-3.6 3.8-5.5 7.5-5.5s6.7 1.9 7.5 5.5",
  mail: "M4 6.5h16v11H4zM4.5 7l7.5 6 7.5-6",
  lock: "M7.5 11V8a4.5 4.5 0 0 1 9 0v3M6 11h12v9H6z",
  down: "m7 10 5 5 5-5",
  next: "m10 6 6 6-6 6",
  pencil: "M5 19l1-4L16.5 4.5l3 3L9 18l-4 1ZM14.5 6.5l3 3",
  save: "M12 4v11M7.5 11l4.5 4.5L16.5 11M5 19.5h14",
  file: "M7 3.5h7l4 4v13H7zM14 3.5v4h4M10 12.5h5M10 16h5",
  bin: "M5 7h14M10 7V4.5h4V7M7 7l.8 12.5h8.4L17 7M10.5 10.5v5.5M13.5 10.5v5.5",
  search: "M11 17.5a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13ZM16 16l4 4",
  star: "m12 4 2.4 5.2 5.6.7-4.1 3.9 1.1 5.7-5-2.8-5 2.8 1.1-5.7L4 9.9l5.6-.7L12 4Z",
  stop: "M7 7h10v10H7z",
} as const;

export type IconName = keyof typeof paths;

export function Icon({ name, class: extra }: { name: IconName; class?: string }) {
  return (
    <svg class={extra ? `icon ${extra}` : "icon"} viewBox="0 0 24 24" aria-hidden="true">
      <path d={paths[name]} />
    </svg>
  );
}
