// One field of a question's form.
import type { Field } from "@aster-sidecar/client";
import { useState, type ReactNode } from "react";
import { host } from "./engine.js";
import { FolderBrowser } from "./FolderBrowser.js";
import { BOOLEANS, hasOptions, limitsOf, type Entered } from "./form.js";
import { texts } from "./messages.js";
import { visible } from "./Plain.js";

interface FieldProps {
  field: Field;
  /** Unique on the page. */
  id: string;
  entered: Entered;
  problem: string | null;
  onChange: (entered: Entered) => void;
}

export function QuestionField(props: FieldProps) {
  const { field, id, problem } = props;
  const limits = limitsOf(field);
  const label = (
    <>
      {visible(field.text)}
      {field.required && <span className="quiet"> {texts.question.required}</span>}
    </>
  );
  const described = [limits !== null && `${id}-limits`, problem !== null && `${id}-problem`].filter(Boolean).join(" ");
  const about = { "aria-describedby": described === "" ? undefined : described };
  return (
    <div className="question-field" data-wrong={problem === null ? undefined : ""}>
      {hasOptions(field) ? (
        <>
          <span id={`${id}-label`} className="question-label">
            {label}
          </span>
          <Options {...props} about={{ ...about, "aria-labelledby": `${id}-label` }} />
        </>
      ) : (
        <>
          <label htmlFor={id} className="question-label">
            {label}
          </label>
          <Typed {...props} about={about} />
        </>
      )}
      {limits !== null && (
        <p id={`${id}-limits`} className="quiet">
          {limits}
        </p>
      )}
      {problem !== null && (
        <p id={`${id}-problem`} className="problem">
          {visible(problem)}
        </p>
      )}
    </div>
  );
}

type About = Record<string, string | undefined>;

/** Radio buttons or boxes, with room for another answer. */
function Options({ field, id, entered, problem, onChange, about }: FieldProps & { about: About }) {
  const { kind, required } = field;
  const many = kind === "multi";
  const options: readonly string[] = kind === "boolean" ? BOOLEANS : (field.options ?? []);
  const words = kind === "boolean" ? [texts.question.yes, texts.question.no] : (field.labels ?? options);
  const { chosen, other } = entered;
  const shared = { type: many ? "checkbox" : "radio", name: `${id}-option` };
  const invalid = problem !== null;

  function choose(option: string, on: boolean): void {
    if (!many) onChange({ ...entered, chosen: [option], other: false });
    else onChange({ ...entered, chosen: on ? [...chosen, option] : chosen.filter((one) => one !== option) });
  }

  const group = many
    ? { role: "group" }
    : { role: "radiogroup", "aria-required": required, "aria-invalid": invalid || undefined };
  return (
    <div className="choice-lines" {...group} {...about}>
      {options.map((option, place) => (
        <label key={option} className="choice-line">
          <input
            {...shared}
            checked={(many || !other) && chosen.includes(option)}
            aria-invalid={(many && invalid) || undefined}
            onChange={({ target }) => choose(option, target.checked)}
          />
          <span>{visible(words[place] ?? option)}</span>
        </label>
      ))}
      {field.other && (
        <div className="choice-line question-other">
          <input
            {...shared}
            checked={other}
            aria-label={texts.question.other}
            onChange={({ target }) => {
              onChange({ ...entered, other: target.checked, ...(!many && { chosen: [] }) });
            }}
          />
          <input
            type="text"
            aria-label={texts.question.other}
            placeholder={texts.question.other}
            value={entered.text}
            onChange={({ target: { value: text } }) => {
              onChange({ text, other: text !== "" || other, chosen: many ? chosen : [] });
            }}
          />
        </div>
      )}
      {!many && !required && (
        <label className="choice-line">
          <input
            {...shared}
            checked={!other && chosen.length === 0}
            onChange={() => {
              onChange({ ...entered, chosen: [], other: false });
            }}
          />
          <span>{texts.question.none}</span>
        </label>
      )}
    </div>
  );
}

/** The form of its own that some texts have in the browser. */
const FORMATS = { email: "email", uri: "url", date: "date", "date-time": "datetime-local" } as const;
const KEYBOARDS = { email: "email", uri: "url", date: undefined, "date-time": undefined } as const;

function Typed({ field, id, entered, problem, onChange, about }: FieldProps & { about: About }): ReactNode {
  const { kind, required, whole, format } = field;
  const attributes = {
    id,
    value: entered.text,
    "aria-required": required,
    "aria-invalid": problem !== null,
    ...about,
    onChange: ({ target }: { target: { value: string } }) => {
      onChange({ ...entered, text: target.value });
    },
  };
  if (kind === "text" && format === null)
    return <textarea {...attributes} rows={Math.min(12, entered.text.split("\n").length)} />;
  if (kind === "number") return <input {...attributes} type="text" inputMode={whole ? "numeric" : "decimal"} />;
  if (kind === "folder") return <Folder attributes={attributes} entered={entered} onChange={onChange} />;
  if (kind === "file" || format === null) return <input {...attributes} className="mono" spellCheck={false} />;
  const dated = format === "date" || format === "date-time";
  return <input {...attributes} type={dated ? FORMATS[format] : "text"} inputMode={KEYBOARDS[format]} />;
}

interface FolderProps extends Pick<FieldProps, "entered" | "onChange"> {
  attributes: { id: string; value: string };
}

/** The path of a folder, with the system's dialog or a list of folders. */
function Folder({ attributes, entered, onChange }: FolderProps) {
  const [browsing, setBrowsing] = useState(false);
  const choose = (text: string): void => {
    setBrowsing(false);
    onChange({ ...entered, text });
  };
  return (
    <>
      <div className="panel-line">
        <input {...attributes} className="mono" spellCheck={false} />
        <button
          type="button"
          aria-expanded={host ? undefined : browsing}
          onClick={() => {
            if (!host) setBrowsing(!browsing);
            else void host.pickFolder().then((path) => path !== null && choose(path));
          }}
        >
          {host ? texts.shared.choose : texts.folders.browse}
        </button>
      </div>
      {browsing && <FolderBrowser begin={attributes.value.trim()} onChoose={choose} />}
    </>
  );
}
