// Text that was written by others: characters that could hide or reorder it are shown by name and have no effect.
import { Fragment, useMemo, useState, type ReactNode } from "react";
import { placesOf, useLookedFor } from "./found.js";
import { texts } from "./messages.js";

// Control characters except tab and line ends; characters that change the text direction; invisible characters.

const HIDDEN =
  /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]/g;

/** Right-to-left letters, as the daemon isolates them so that the text around them keeps its order. */
const ISOLATED = /\u2066([\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]+)\u2069/u;

/** The text, with each hidden character replaced by its name. */
export function visible(text: string): ReactNode {
  const parts = text.split(ISOLATED);
  if (parts.length === 1) return named(text);
  return parts.map((part, place) => (
    <Fragment key={place}>{place % 2 === 1 ? <bdi>{part}</bdi> : named(part)}</Fragment>
  ));
}

function named(text: string): ReactNode {
  HIDDEN.lastIndex = 0;
  if (!HIDDEN.test(text)) return text;
  HIDDEN.lastIndex = 0; // `test` moved it past the first match
  const parts: ReactNode[] = [];
  let from = 0;
  for (const match of text.matchAll(HIDDEN)) {
    if (parts.length > 2000) break; // enough to recognize such a text
    parts.push(text.slice(from, match.index));
    const name = match[0].charCodeAt(0).toString(16).toUpperCase().padStart(4, "0");
    parts.push(
      <span key={match.index} className="hidden-character" title={texts.plain.hidden}>
        {texts.plain.codePoint(name)}
      </span>,
    );
    from = match.index + 1;
  }
  parts.push(text.slice(from).replace(HIDDEN, "\ufffd"));
  return parts.map((part, place) => <Fragment key={place}>{part}</Fragment>);
}

/** The same for titles and labels, where there is only text. */
export function visibleText(text: string): string {
  return text
    .split(ISOLATED)
    .map((part, place) => (place % 2 === 1 ? `\u2066${part}\u2069` : part.replace(HIDDEN, "\ufffd")))
    .join("");
}

/** What a call would do, as the daemon describes it: complete, and from left to right. */
export function Display({ text }: { text: string }) {
  return (
    <pre className="plain display" dir="ltr" tabIndex={0}>
      {visible(text)}
    </pre>
  );
}

const STEP = 20_000;
/** How many characters are shown after the match. */
const AFTER = 2_000;

/** Text as it is, in a separate box. Of a long text only the first part is shown, until the person asks for more. */
export function Plain({ text, className = "plain", most = STEP }: { text: string; className?: string; most?: number }) {
  const [shown, setShown] = useState(most);
  const wanted = useLookedFor();
  const reach = useMemo(
    () => (wanted === "" || text.length <= most ? 0 : (placesOf(text, wanted)[0]?.[1] ?? 0)),
    [wanted, text, most],
  );
  // A match is shown, and stays visible after the search ends.
  if (reach > shown) setShown(reach + AFTER);
  const cut = text.length > shown;
  return (
    <>
      <pre className={className} dir="auto" tabIndex={0}>
        {visible(cut ? text.slice(0, shown) : text)}
        {cut && "…"}
      </pre>
      {cut && (
        <p className="quiet">
          {texts.plain.shownOf(shown, text.length)}{" "}
          <button
            type="button"
            className="link"
            onClick={() => {
              setShown((before) => Math.max(before * 2, before + STEP));
            }}
          >
            {texts.shared.showMore}
          </button>
        </p>
      )}
    </>
  );
}
