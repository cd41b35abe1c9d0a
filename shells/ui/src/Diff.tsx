// The changed lines of a file as a usual diff: old and new line numbers, a mark and a colour.
import type { Preview } from "@aster-sidecar/client";
import { texts } from "./messages.js";
import { visible } from "./Plain.js";

interface Line {
  mark: " " | "-" | "+" | "@";
  text: string;
  /** The line's number in the old and in the new file; null where the file does not contain it. */
  before: number | null;
  after: number | null;
}

const HUNK = /^@@ -(\d+)(?:,\d+)? \+(\d+)/;

/**
 * Parses the two formats of the daemon, in which each line begins with its mark: a unified diff without file names, and
 * that of a question, where `@ line N` gives the number of the next old line.
 */
export function linesOf(diff: string): Line[] {
  let before = 1;
  let moved = 0;
  return diff.split("\n").map((line): Line => {
    const text = line.slice(1);
    const hunk = HUNK.exec(line);
    if (hunk) {
      before = Number(hunk[1]);
      moved = Number(hunk[2]) - before;
      return { mark: "@", text: texts.diff.line(Math.max(1, Number(hunk[2]))), before: null, after: null };
    }
    switch (line[0]) {
      case "\\": // the last line has no end
        return { mark: "@", text: text.trim(), before: null, after: null };
      case "@":
        before = Number(/\d+/.exec(text)?.[0] ?? before);
        return { mark: "@", text: text.trim(), before: null, after: null };
      case "-":
        moved -= 1;
        return { mark: "-", text, before: before++, after: null };
      case "+":
        moved += 1;
        return { mark: "+", text, before: null, after: before + moved - 1 };
      default:
        return { mark: " ", text, before, after: before++ + moved };
    }
  });
}

const WORDS = { "-": texts.diff.removed, "+": texts.diff.added, " ": "", "@": "" };

/** A call's description as text and as a diff: a whole preview's lines are at the end of the description. */
export function withDiff(display: string, preview?: Preview | null): [string, Preview | null] {
  if (preview == null) return [display, null];
  if (preview.truncated) return [display, preview];
  if (!display.endsWith(preview.diff)) return [display, null];
  return [display.slice(0, -preview.diff.length).trimEnd(), preview];
}

/** A diff; if it is `truncated`, with a note that it is only the beginning. */
export function Diff({ diff, truncated = false }: { diff: string; truncated?: boolean | undefined }) {
  return (
    <>
      <Lines diff={diff} />
      {truncated && <p className="quiet">{texts.diff.cut}</p>}
    </>
  );
}

function Lines({ diff }: { diff: string }) {
  return (
    <div className="diff" dir="ltr" tabIndex={0} role="group" aria-label={texts.diff.label}>
      <table>
        <tbody>
          {linesOf(diff).map(({ mark, text, before, after }, place) => (
            <tr key={place} className={`diff-${NAMES[mark]}`}>
              <td className="diff-number">{before}</td>
              <td className="diff-number">{after}</td>
              <td className="diff-mark" aria-hidden="true">
                {mark === "@" ? "" : mark}
              </td>
              <td className="diff-text">
                <span className="out-of-sight">{WORDS[mark]}</span>
                {visible(text)}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

const NAMES = { "-": "gone", "+": "new", " ": "same", "@": "place" } as const;
