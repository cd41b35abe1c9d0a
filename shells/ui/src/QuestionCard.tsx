// A question of an agent or of an MCP server: a form, or a page to visit.
import type { Question } from "@aster-sidecar/client";
import { useEffect, useId, useRef, useState, type KeyboardEvent } from "react";
import { announce } from "./announce.js";
import { begunForm, dropForms, keepForm } from "./answers.js";
import { store } from "./engine.js";
import { answerOf, begin, hostOfPage, refusalOf, wrongWith, type Entered, type FieldProblems } from "./form.js";
import { Icon } from "./Icon.js";
import { texts } from "./messages.js";
import { visible, visibleText } from "./Plain.js";
import { said } from "./problems.js";
import { QuestionField } from "./QuestionField.js";
import { Problem } from "./settings/Problem.js";
import { exactly, sentence } from "./words.js";

const NO_PROBLEMS: FieldProblems = {};

export function QuestionCard({ question, focus = false }: { question: Question; focus?: boolean }) {
  const { question_id, reason, fields, server, url, expires_at } = question;
  const [form, setForm] = useState(() => begunForm(question_id));
  /** What is wrong with each field, and what is wrong in all. */
  const [problems, setProblems] = useState(NO_PROBLEMS);
  const [problem, setProblem] = useState<ReturnType<typeof said> | null>(null);
  /** How many times answers were refused: each time the first of them gets the focus. */
  const [refusals, setRefusals] = useState(0);
  const [answering, setAnswering] = useState(false);
  const card = useRef<HTMLElement>(null);
  const noteBox = useRef<HTMLTextAreaElement>(null);
  const id = useId();
  const entered = fields.map((field): Entered => form.fields[field.id] ?? begin(field));

  useEffect(() => {
    if (focus) card.current?.focus();
  }, [focus]);
  useEffect(() => {
    keepForm(question_id, form);
  }, [question_id, form]);
  useEffect(() => dropForms, []);
  useEffect(() => {
    if (refusals > 0) card.current?.querySelector<HTMLElement>("[data-wrong] :is(input, textarea)")?.focus();
  }, [refusals]);

  function wrong(): FieldProblems {
    return Object.fromEntries(
      fields.flatMap((field, place) => {
        const found = wrongWith(field, entered[place] ?? begin(field));
        return found === null ? [] : [[field.id, found]];
      }),
    );
  }

  function refuse(at: FieldProblems, message: string, hint: string | null): void {
    setProblems(at);
    setProblem({ message, hint });
    setRefusals((before) => before + 1);
  }

  function change(field_id: string, next: Entered): void {
    setForm((now) => ({ ...now, fields: { ...now.fields, [field_id]: next } }));
    const { [field_id]: solved, ...others } = problems;
    if (solved !== undefined) setProblems(Object.keys(others).length > 0 ? others : NO_PROBLEMS);
  }

  async function send(decline: boolean): Promise<void> {
    if (answering) return;
    const found = decline ? NO_PROBLEMS : wrong();
    if (Object.keys(found).length > 0) {
      refuse(found, texts.question.incomplete, null);
      return;
    }
    setAnswering(true);
    setProblems(NO_PROBLEMS);
    setProblem(null);
    const note = form.note?.trim();
    const answers = Object.fromEntries(
      fields.map((field, place) => [field.id, answerOf(field, entered[place] ?? begin(field))]),
    );
    try {
      await store.answer({ question_id, ...(decline ? { decline } : { answers }), ...(note && { note }) });
      announce(decline ? texts.question.declined : texts.question.sent);
    } catch (error) {
      const { code, details } = error as { code?: string; details?: unknown };
      const { at, rest } = refusalOf(code === "answers_invalid" ? details : null, fields);
      const words = Object.entries(at).map(([field_id, why]) => [field_id, sentence(why)]);
      if (words.length > 0)
        refuse(Object.fromEntries(words) as FieldProblems, texts.question.refused, rest === "" ? null : sentence(rest));
      else setProblem(said(error));
      setAnswering(false);
    }
  }

  /** Enter sends only what is complete; otherwise it goes to the first field that needs an answer. */
  function pressed(event: KeyboardEvent): void {
    const target = event.target as HTMLElement;
    if (event.key === "Escape") {
      event.preventDefault();
      event.stopPropagation();
      card.current?.focus();
    } else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      if (url === null || form.opened) void send(false);
    } else if (event.key === "Enter" && !event.shiftKey && !event.altKey && target.matches("input, textarea")) {
      if (target === noteBox.current) return;
      event.preventDefault();
      const [first] = Object.keys(wrong());
      if (first === undefined) void send(false);
      else {
        const place = fields.findIndex((field) => field.id === first);
        card.current
          ?.querySelectorAll(".question-field")
          [place]?.querySelector<HTMLElement>("input, textarea")
          ?.focus();
      }
    }
  }

  return (
    <section
      ref={card}
      className="approval question"
      role="group"
      tabIndex={-1}
      aria-labelledby={[`${id}-title`, `${id}-reason`].join(" ")}
      data-question={question_id}
      onKeyDown={pressed}
    >
      <h2 id={`${id}-title`}>
        {server === null
          ? texts.question.title
          : url === null
            ? texts.question.titleOf(visible(server))
            : texts.question.visitTitle(visible(server))}
      </h2>
      <p id={`${id}-reason`} className="approval-reason">
        {visible(reason)}
      </p>
      {server !== null && url === null && <p className="quiet">{texts.question.noSecrets}</p>}
      <form
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          void send(false);
        }}
      >
        {url !== null ? (
          <Visit
            url={url}
            onOpen={() => {
              setForm((now) => ({ ...now, opened: true }));
            }}
          />
        ) : (
          fields.map((field, place) => (
            <QuestionField
              key={field.id}
              field={field}
              id={`${id}-${place}`}
              entered={entered[place] ?? begin(field)}
              problem={problems[field.id] ?? null}
              onChange={(next) => {
                change(field.id, next);
              }}
            />
          ))
        )}
        {form.note !== null && (
          <div className="field">
            <label htmlFor={`${id}-note`}>{texts.question.noteLabel}</label>
            <textarea
              ref={noteBox}
              id={`${id}-note`}
              rows={2}
              maxLength={10_000}
              value={form.note}
              onChange={({ target: { value: note } }) => {
                setForm((now) => ({ ...now, note }));
              }}
            />
          </div>
        )}
        <Problem problem={problem} />
        <div className="approval-buttons">
          {(url === null || form.opened) && (
            <button type="submit" className="primary" disabled={answering}>
              {url === null ? texts.question.answer : texts.question.visited}
            </button>
          )}
          <button
            type="button"
            disabled={answering}
            title={texts.question.declineTitle}
            onClick={() => void send(true)}
          >
            {texts.question.decline}
          </button>
          <span className="approval-gap" />
          <button
            type="button"
            className="quiet-button"
            aria-expanded={form.note !== null}
            title={texts.question.noteTitle}
            onClick={() => {
              const closes = form.note === "";
              setForm((now) => ({ ...now, note: closes ? null : (now.note ?? "") }));
              if (!closes) setTimeout(() => noteBox.current?.focus());
            }}
          >
            {texts.approval.note}
          </button>
        </div>
      </form>
      {expires_at !== null && <p className="quiet">{texts.question.expires(visibleText(exactly(expires_at)))}</p>}
    </section>
  );
}

/** The page that a server asks the person to visit: its exact address, which only a click opens. */
function Visit({ url, onOpen }: { url: string; onOpen: () => void }) {
  const site = hostOfPage(url);
  return (
    <div className="question-visit">
      <pre className="plain" dir="ltr" tabIndex={0}>
        {visible(url)}
      </pre>
      {site === null ? (
        <p className="quiet">{texts.question.notOpened}</p>
      ) : (
        <>
          <p className="quiet">{texts.question.site(visible(site))}</p>
          <a className="button" href={url} target="_blank" rel="noreferrer noopener" onClick={onOpen}>
            <Icon name="up" />
            {texts.question.open}
          </a>
        </>
      )}
    </div>
  );
}
