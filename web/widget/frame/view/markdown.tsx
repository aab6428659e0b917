import { createContext, type ComponentChildren } from "preact";
import { useContext, useMemo } from "preact/hooks";
import type { Citation } from "../../../protocol/index.ts";
import { parse, safeHref, type Block, type Inline } from "../markdown.ts";
import { words } from "../words.ts";

/** A link to somewhere else, opened apart from this frame and told nothing of it. */
export function Away({ href, title, class: name, children }: { href: string; title?: string; class?: string; children: ComponentChildren }) {
  return (
    <a href={href} title={title ?? href} class={name} target="_blank" rel="noopener noreferrer nofollow">
      {children}
    </a>
  );
}

/** A source, as a small numbered chip. */
export function Cite({ citation, named }: { citation: Citation; named?: boolean }) {
  const href = safeHref(citation.url);
  const label = words.source(citation.title);
  const inside = (
    <>
      <span class="sr">{label}</span>
      <span aria-hidden="true">{citation.number}</span>
      {named && <span class="cite-title" aria-hidden="true">{citation.title}</span>}
    </>
  );
  const name = named ? "cite named" : "cite";
  return href === null ? <span class={name} title={label}>{inside}</span> : <Away class={name} href={href} title={citation.title}>{inside}</Away>;
}

export function Markdown({ text, citations = [] }: { text: string; citations?: readonly Citation[] }) {
  const blocks = useMemo(() => parse(text), [text]);
  return <div class="md">{blocks.map((block) => draw(block, citations))}</div>;
}

/** Opens the form in which an address is proven; `null` where there is none to open. */
export const Confirming = createContext<(() => void) | null>(null);

function Confirm({ children }: { children: ComponentChildren }) {
  const open = useContext(Confirming);
  return open ? <button type="button" class="inline" onClick={open}>{children}</button> : <>{children}</>;
}

type Sources = readonly Citation[];

function draw(block: Block, sources: Sources): ComponentChildren {
  switch (block.kind) {
    case "paragraph":
      return <p>{inner(block.inner, sources)}</p>;
    case "heading": {
      // The page around has its own headings; ours stand below them.
      const Tag = block.level <= 2 ? "h3" : "h4";
      return <Tag>{inner(block.inner, sources)}</Tag>;
    }
    case "code":
      return <pre tabIndex={0}><code>{block.text}</code></pre>;
    case "rule":
      return <hr />;
    case "quote":
      return <blockquote>{block.blocks.map((b) => draw(b, sources))}</blockquote>;
    case "list": {
      const items = block.items.map((item) => <li>{tight(item, sources)}</li>);
      return block.start === null ? <ul>{items}</ul> : <ol start={block.start}>{items}</ol>;
    }
    case "table":
      return (
        <div class="table" tabIndex={0}>
          <table>
            <thead><tr>{block.head.map((cell) => <th>{inner(cell, sources)}</th>)}</tr></thead>
            <tbody>{block.rows.map((row) => <tr>{row.map((cell) => <td>{inner(cell, sources)}</td>)}</tr>)}</tbody>
          </table>
        </div>
      );
    default:
      return block satisfies never;
  }
}

/** An item that is one paragraph needs no paragraph of its own. */
function tight(item: readonly Block[], sources: Sources): ComponentChildren {
  return item.map((block, at) => (at === 0 && block.kind === "paragraph" ? inner(block.inner, sources) : draw(block, sources)));
}

function inner(nodes: readonly Inline[], sources: Sources): ComponentChildren {
  return nodes.map((node) => {
    switch (node.kind) {
      case "text":
        return node.text;
      case "code":
        return <code>{node.text}</code>;
      case "break":
        return <br />;
      case "em":
        return <em>{inner(node.inner, sources)}</em>;
      case "strong":
        return <strong>{inner(node.inner, sources)}</strong>;
      case "del":
        return <del>{inner(node.inner, sources)}</del>;
      case "link":
        return <Away href={node.href}>{inner(node.inner, sources)}</Away>;
      case "confirm":
        return <Confirm>{inner(node.inner, sources)}</Confirm>;
      case "cite": {
        const citation = sources.find((source) => source.number === node.number);
        return citation ? <Cite citation={citation} /> : `[${node.number}]`;
      }
      default:
        return node satisfies never;
    }
  });
}
