// Markdown as React elements, made directly from the parser's tokens: without HTML in between, nothing can be injected.
import { createElement, memo, useRef, type ReactNode } from "react";
import { Blocks, type Block, type Token } from "./blocks.js";
import { Code } from "./Code.js";
import { texts } from "./messages.js";
import { Plain, visible, visibleText } from "./Plain.js";

/** `growing`: more text may follow. */
export function Markdown({ text, growing = false }: { text: string; growing?: boolean }) {
  const blocks = useRef<Blocks>(null);
  blocks.current ??= new Blocks();
  const all = blocks.current.of(text);
  return (
    <div className="prose" dir="auto">
      {all.map((block, place) => (
        <BlockView key={block.key} block={block} growing={growing && place === all.length - 1} />
      ))}
    </div>
  );
}

const BlockView = memo(function BlockView({ block, growing }: { block: Block; growing: boolean }) {
  if (block.tokens === null) return <Plain text={block.source} className="plain prose-plain" />;
  const shown = build(block.tokens, growing);
  return block.piece ? <div className="piece">{shown}</div> : <>{shown}</>;
});

/** Turns a flat list of tokens into a tree of elements. */
function build(tokens: readonly Token[], growing: boolean): ReactNode[] {
  const root: ReactNode[] = [];
  const stack: { children: ReactNode[]; token: Token }[] = [];
  tokens.forEach((token, key) => {
    const into = stack.at(-1)?.children ?? root;
    if (token.nesting === 1) {
      stack.push({ children: [], token });
    } else if (token.nesting === -1) {
      const closed = stack.pop();
      if (closed) (stack.at(-1)?.children ?? root).push(element(closed.token, closed.children, key));
    } else {
      into.push(leaf(token, key, growing));
    }
  });
  // Elements that the parser left open are closed here.
  while (stack.length > 0) {
    const closed = stack.pop();
    if (closed) (stack.at(-1)?.children ?? root).push(element(closed.token, closed.children, -stack.length - 1));
  }
  return root;
}

const PLAIN_TAGS = new Set(["p", "ul", "ol", "li", "blockquote", "table", "thead", "tbody", "tr", "strong", "em", "s"]);

function element(token: Token, children: ReactNode[], key: number): ReactNode {
  if (token.hidden) return children; // the paragraphs of a tight list
  if (token.type === "heading_open") {
    return (
      <h2 key={key} className={`heading-${token.tag.slice(1)}`}>
        {children}
      </h2>
    );
  }
  if (token.type === "link_open") {
    const href = String(token.attrGet("href") ?? "");
    return (
      <a key={key} href={href} title={visibleText(href)} target="_blank" rel="noreferrer noopener">
        {children}
      </a>
    );
  }
  if (token.tag === "table") {
    return (
      <div key={key} className="table-frame" tabIndex={0} role="group" aria-label={texts.markdown.table}>
        <table>{children}</table>
      </div>
    );
  }
  if (token.tag === "th" || token.tag === "td") {
    const align = /text-align:\s*(left|center|right)/.exec(String(token.attrGet("style") ?? ""))?.[1];
    return createElement(token.tag, { key, className: align && `align-${align}` }, ...children);
  }
  if (token.tag === "ol") {
    const start = Number(token.attrGet("start") ?? 1);
    return (
      <ol key={key} start={Number.isSafeInteger(start) ? start : 1}>
        {children}
      </ol>
    );
  }
  if (PLAIN_TAGS.has(token.tag)) return createElement(token.tag, { key }, ...children);
  return <span key={key}>{children}</span>;
}

function leaf(token: Token, key: number, growing: boolean): ReactNode {
  switch (token.type) {
    case "inline":
      return build(token.children ?? [], growing);
    case "text":
      return visible(token.content);
    case "softbreak":
      return "\n";
    case "hardbreak":
      return <br key={key} />;
    case "code_inline":
      return <code key={key}>{visible(token.content)}</code>;
    case "fence":
    case "code_block":
      return (
        <Code key={key} text={token.content} language={token.info.trim().split(/\s+/)[0] ?? ""} growing={growing} />
      );
    case "hr":
      return <hr key={key} />;
    case "image":
      // Images are shown as links: nothing is loaded from elsewhere only because a model named it.
      return (
        <a key={key} href={String(token.attrGet("src") ?? "")} target="_blank" rel="noreferrer noopener">
          {token.content === "" ? texts.markdown.imageUndescribed : texts.markdown.image(visible(token.content))}
        </a>
      );
    default:
      return <span key={key}>{visible(token.content)}</span>;
  }
}
