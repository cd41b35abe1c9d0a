// The confirmation of an “always” answer: what the rule covers, and for how long.
import type { ApproveRequest, ScopeInfo } from "@aster-sidecar/client";
import { useEffect, useId, useRef, useState, type SubmitEvent } from "react";
import { datesFrom, LASTING, limitsOf, type Lasting } from "./lasting.js";
import { texts } from "./messages.js";
import { visible } from "./Plain.js";

export type AlwaysDecision = "allow_always" | "deny_always";

/** What is sent with the answer about the rule. */
export type Covered = Pick<ApproveRequest, "scope_id" | "this_session" | "expires_in_s">;

/** `scopes`: what may be chosen, the narrowest first. `remember`: what the rule covers if there are none. */
export function Always({
  decision,
  scopes,
  remember,
  busy,
  onSure,
  onCancel,
}: {
  decision: AlwaysDecision;
  scopes: readonly ScopeInfo[];
  remember: string | null;
  busy: boolean;
  onSure: (covered: Covered) => void;
  onCancel: () => void;
}) {
  const [chosen, setChosen] = useState<string | null>(null);
  const [lasting, setLasting] = useState<Lasting>("always");
  const [date, setDate] = useState("");
  const [wrongDate, setWrongDate] = useState(false);
  const form = useRef<HTMLFormElement>(null);
  const dateBox = useRef<HTMLInputElement>(null);
  const id = useId();
  // Other arguments may have other scopes.
  const scope = scopes.find(({ scope_id }) => scope_id === chosen) ?? scopes[0];

  useEffect(() => {
    form.current?.querySelector<HTMLElement>("input:checked, .primary")?.focus();
  }, []);

  function confirmed(event: SubmitEvent): void {
    event.preventDefault();
    const limits = limitsOf(lasting, date);
    setWrongDate(limits === null);
    if (limits === null) dateBox.current?.focus();
    else onSure({ ...(scope && { scope_id: scope.scope_id }), ...limits });
  }

  return (
    <div className="approval-always" role="group" aria-label={texts.approval.confirm[decision]}>
      <form ref={form} noValidate onSubmit={confirmed}>
        {scopes.length > 1 ? (
          <div className="choice-lines" role="radiogroup" aria-label={texts.approval.covering}>
            {scopes.map(({ scope_id, words }) => (
              <label key={scope_id} className="choice-line">
                <input
                  type="radio"
                  name={`${id}-scope`}
                  checked={scope_id === scope?.scope_id}
                  onChange={() => setChosen(scope_id)}
                />
                <span>{visible(words)}</span>
              </label>
            ))}
          </div>
        ) : (
          <p>{visible(scope?.words ?? remember ?? texts.approval.exactly)}</p>
        )}
        <div className="approval-lasting">
          <label htmlFor={`${id}-lasting`}>{texts.approval.howLong}</label>
          <select
            id={`${id}-lasting`}
            value={lasting}
            onChange={(event) => {
              setLasting(event.target.value as Lasting);
              setWrongDate(false);
            }}
          >
            {LASTING.map((one) => (
              <option key={one} value={one}>
                {texts.approval.lasting[one]}
              </option>
            ))}
          </select>
          {lasting === "date" && (
            <input
              ref={dateBox}
              type="date"
              aria-label={texts.approval.lastDay}
              {...datesFrom()}
              value={date}
              aria-invalid={wrongDate}
              aria-describedby={wrongDate ? `${id}-date` : undefined}
              onChange={(event) => {
                setDate(event.target.value);
                setWrongDate(false);
              }}
            />
          )}
        </div>
        {wrongDate && (
          <p id={`${id}-date`} className="problem" role="alert">
            {texts.approval.wrongDate}
          </p>
        )}
        <div className="approval-sure">
          <span className="quiet">{texts.approval.ruleHint}</span>
          <button type="submit" className="primary" disabled={busy}>
            {texts.approval.confirm[decision]}
          </button>
          <button type="button" onClick={onCancel}>
            {texts.shared.cancel}
          </button>
        </div>
      </form>
    </div>
  );
}
