/**
 * The launcher and the window around the frame, in a shadow root of the host page.
 *
 * Styles are a constructed sheet and CSSOM only, so that a page whose policy
 * forbids inline styles sees no violation (W2).
 */

const CSS = `
:host{all:initial!important;position:fixed!important;z-index:2147483000!important;width:0!important;height:0!important}
button,iframe{all:unset;position:fixed;box-sizing:border-box}
button{bottom:calc(16px + env(safe-area-inset-bottom));right:16px;width:56px;height:56px;border-radius:50%;cursor:pointer;
background:var(--accent);color:var(--ink);display:none;place-items:center;box-shadow:0 2px 6px #0003,0 8px 24px #0003;
transition:transform .15s,box-shadow .15s;-webkit-tap-highlight-color:transparent}
button:hover{box-shadow:0 2px 6px #0004,0 10px 30px #0004;transform:translateY(-1px)}
button:active{transform:scale(.96)}
button:focus-visible{outline:3px solid var(--accent);outline-offset:3px}
.ready button{display:grid}
.hidden button{display:none}
svg{width:28px;height:28px;fill:none;stroke:currentColor;stroke-width:1.5;stroke-linecap:round;stroke-linejoin:round;grid-area:1/1;
transition:opacity .15s,transform .15s}
.shut,.open .talk{opacity:0;transform:scale(.6)}
.open .shut{opacity:1;transform:none}
b{all:unset;position:absolute;top:-4px;right:-4px;min-width:20px;height:20px;padding:0 5px;box-sizing:border-box;border-radius:10px;
background:#c4262e;color:#fff;font:600 12px/20px system-ui,sans-serif;text-align:center}
b:empty{display:none}
iframe{bottom:calc(88px + env(safe-area-inset-bottom));right:16px;width:400px;height:min(680px,100vh - 104px);height:min(680px,100dvh - 104px);
max-width:calc(100vw - 32px);border-radius:16px;overflow:hidden;box-shadow:0 0 0 1px #0000000f,0 4px 12px #0000001f,0 16px 48px #0003;
visibility:hidden;opacity:0;transform:translateY(8px);transition:opacity .16s,transform .16s,visibility 0s .16s;color-scheme:normal}
.open iframe{visibility:visible;opacity:1;transform:none;transition-delay:0s}
.left button,.left iframe{right:auto;left:16px}
.left b{right:auto;left:-4px}
@media(max-width:480px){
iframe{inset:0;width:100vw;max-width:none;height:100vh;height:var(--tall,100dvh);top:var(--top,0);border-radius:0;box-shadow:none}
.left iframe{left:0}
.open button{display:none}}
@media(min-width:481px) and (max-height:520px){
iframe{bottom:16px;height:calc(100vh - 32px)}
.open button{display:none}}
@media(prefers-reduced-motion:reduce){*{transition:none!important}}
@media print{:host{display:none!important}}`;

const ICONS: readonly (readonly [string, string])[] = [
  ["talk", "M20 11.5a7.5 7.5 0 0 1-7.5 7.5H5l1.6-2.7A7.5 7.5 0 1 1 20 11.5ZM9.5 11.5h.01M12.5 11.5h.01M15.5 11.5h.01"],
  ["shut", "m6 9.5 6 6 6-6"],
];

function icon([name, path]: readonly [string, string]): SVGElement {
  const make = (tag: string) => document.createElementNS("http://www.w3.org/2000/svg", tag);
  const svg = make("svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", name);
  svg.setAttribute("aria-hidden", "true");
  const line = make("path");
  line.setAttribute("d", path);
  svg.append(line);
  return svg;
}

export type Stage = ReturnType<typeof makeStage>;

/** Builds the stage and puts it into the page. The frame starts to load, unseen. */
export function makeStage(address: string, toggle: () => void) {
  const host = document.createElement("div");
  host.id = "maitred-widget";
  const root = host.attachShadow({ mode: "open" });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(CSS);
  root.adoptedStyleSheets = [sheet];

  const box = document.createElement("div");
  const launcher = document.createElement("button");
  const badge = document.createElement("b");
  const frame = document.createElement("iframe");
  launcher.type = "button";
  launcher.append(...ICONS.map(icon), badge);
  launcher.onclick = toggle;
  frame.allow = "";
  frame.title = "Chat";
  frame.src = address;
  box.append(frame, launcher);
  root.append(box);

  const label = (open: boolean, unread: number) => {
    launcher.setAttribute("aria-label", open ? "Close chat" : unread ? `Open chat, ${unread} unread` : "Open chat");
    launcher.setAttribute("aria-expanded", String(open));
    badge.textContent = unread ? String(Math.min(unread, 99)) : "";
  };
  label(false, 0);

  // The phone's keyboard shrinks the visual viewport, and no unit of CSS follows it.
  const viewport = window.visualViewport;
  const fit = () => {
    if (!viewport) return;
    frame.style.setProperty("--tall", `${viewport.height}px`);
    frame.style.setProperty("--top", `${viewport.offsetTop}px`);
  };
  viewport?.addEventListener("resize", fit);
  viewport?.addEventListener("scroll", fit);

  // Beside the body and not in it: pages that replace their body keep the chat.
  document.documentElement.append(host);

  return {
    frame,
    label,
    show(open: boolean): void {
      const inside = root.activeElement === frame || root.activeElement === launcher;
      box.classList.toggle("open", open);
      if (open) frame.focus();
      else if (inside) launcher.focus();
    },
    hide: (hidden: boolean) => void box.classList.toggle("hidden", hidden),
    /** Shows the launcher, in the operator's colours. */
    dress(look: { accent: string; ink: string; position: string; name: string }): void {
      box.style.setProperty("--accent", look.accent);
      box.style.setProperty("--ink", look.ink);
      const mirrored = getComputedStyle(document.documentElement).direction === "rtl";
      box.classList.toggle("left", (look.position === "left") !== mirrored);
      frame.title = `Chat with ${look.name}`;
      box.classList.add("ready");
    },
    remove(): void {
      viewport?.removeEventListener("resize", fit);
      viewport?.removeEventListener("scroll", fit);
      host.remove();
    },
  };
}
