// A block of code: its language, a button that copies it, and colours after the highlighter has been fetched.
import { useEffect, useState, type ReactNode } from "react";
import { CopyButton } from "./Buttons.js";
import { texts } from "./messages.js";
import { Plain, visible } from "./Plain.js";

const MOST = 30_000;

export function Code({ text, language, growing }: { text: string; language: string; growing: boolean }) {
  const [coloured, setColoured] = useState<{ of: string; nodes: ReactNode } | null>(null);
  const wanted = language !== "" && !growing && text.length <= MOST;
  useEffect(() => {
    if (!wanted) return;
    let gone = false;
    import("./highlight.js").then(
      ({ highlight }) => {
        const nodes = highlight(text, language);
        if (!gone && nodes !== null) setColoured({ of: text, nodes });
      },
      () => undefined, // it can be read without colours, too
    );
    return () => {
      gone = true;
    };
  }, [wanted, text, language]);
  return (
    <figure className="code">
      <figcaption>
        <span>{language === "" ? texts.markdown.code : visible(language.slice(0, 40))}</span>
        <CopyButton text={text} label={texts.markdown.copyCode} />
      </figcaption>
      {text.length > MOST ? (
        <Plain text={text} most={MOST} className="code-text" />
      ) : (
        <pre className="code-text" tabIndex={0}>
          <code>{coloured?.of === text ? coloured.nodes : visible(text)}</code>
        </pre>
      )}
    </figure>
  );
}
