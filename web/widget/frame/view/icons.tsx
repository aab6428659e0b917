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
} as const;

export function Icon({ name, class: extra }: { name: keyof typeof paths; class?: string }) {
  return (
    <svg class={extra ? `icon ${extra}` : "icon"} viewBox="0 0 24 24" aria-hidden="true">
      <path d={paths[name]} />
    </svg>
  );
}
