// A question that a call asked, as the history has it: how it ended, and the answers.
import type { ToolPart } from "@aster-sidecar/client";
import { wordsOf } from "./form.js";
import { texts } from "./messages.js";
import { Plain, visible } from "./Plain.js";

type AskedQuestion = NonNullable<ToolPart["question"]>;

/** An answer that is longer gets a box of its own, in characters. */
const LONG = 300;

export function Asked({ asked }: { asked: AskedQuestion }) {
  const { reason, fields, server, url, outcome, answers, note } = asked;
  const end =
    outcome === null || (outcome === "answered" && url === null)
      ? null
      : outcome === "answered"
        ? texts.question.visited
        : texts.question.ends[outcome];
  return (
    <div className="asked">
      {server !== null && <p className="label">{texts.question.titleOf(visible(server))}</p>}
      <p>{visible(reason)}</p>
      {url !== null && (
        <pre className="plain" dir="ltr" tabIndex={0}>
          {visible(url)}
        </pre>
      )}
      {end !== null && <p className="asked-end">{end}</p>}
      <dl>
        {fields.map((field) => (
          <div key={field.id}>
            <dt>{visible(field.text)}</dt>
            {outcome === "answered" && <Answer words={wordsOf(field, answers?.[field.id])} />}
          </div>
        ))}
        {note !== null && (
          <div>
            <dt>{texts.question.noteLabel}</dt>
            <Answer words={note} />
          </div>
        )}
      </dl>
    </div>
  );
}

function Answer({ words }: { words: string }) {
  return <dd>{words.length > LONG ? <Plain text={words} most={4000} /> : visible(words)}</dd>;
}
