// What has to hold for the arguments of a call, for a rule to apply.
import { useEffect, useId, useRef, type Dispatch, type SetStateAction } from "react";
import { IconButton } from "../Buttons.js";
import { texts } from "../messages.js";
import { TESTS, type Drafted } from "./condition.js";

/** `known`: the names of the tool's arguments. */
export function Conditions({
  conditions,
  known,
  onChange,
}: {
  conditions: readonly Drafted[];
  known: readonly string[];
  onChange: Dispatch<SetStateAction<readonly Drafted[]>>;
}) {
  const id = useId();
  const list = useRef<HTMLDivElement>(null);
  const add = useRef<HTMLButtonElement>(null);
  const before = useRef(conditions.length);

  // The focus goes to a new condition; when one is removed, to the button that adds one.
  useEffect(() => {
    if (conditions.length > before.current)
      list.current?.querySelector<HTMLElement>(".condition:last-of-type input")?.focus();
    else if (conditions.length < before.current) add.current?.focus();
    before.current = conditions.length;
  }, [conditions.length]);

  return (
    <div ref={list} className="conditions">
      {conditions.map((one, place) => {
        const change = (changed: Partial<Drafted>): void =>
          onChange((all) => all.map((other) => (other.key === one.key ? { ...other, ...changed } : other)));
        const field = `${id}-${one.key}`;
        return (
          <fieldset key={one.key} className="condition">
            <legend>{texts.settings.permissions.condition.title(place + 1)}</legend>
            <div className="field">
              <label htmlFor={`${field}-argument`}>{texts.settings.permissions.condition.argument}</label>
              <input
                id={`${field}-argument`}
                className="mono"
                list={`${id}-known`}
                value={one.argument}
                spellCheck={false}
                onChange={(event) => change({ argument: event.target.value })}
              />
            </div>
            <div className="field">
              <label htmlFor={`${field}-test`}>{texts.settings.permissions.condition.test}</label>
              <select
                id={`${field}-test`}
                value={one.test}
                onChange={(event) => change({ test: event.target.value as Drafted["test"] })}
              >
                {TESTS.map((test) => (
                  <option key={test} value={test}>
                    {texts.settings.permissions.condition.tests[test]}
                  </option>
                ))}
              </select>
            </div>
            <div className="field">
              <label htmlFor={`${field}-value`}>{texts.settings.permissions.condition.values[one.test]}</label>
              <input
                id={`${field}-value`}
                className="mono"
                value={one.value}
                spellCheck={false}
                onChange={(event) => change({ value: event.target.value })}
              />
            </div>
            <div className="condition-end">
              <label className="check-label">
                <input
                  type="checkbox"
                  checked={one.negated}
                  onChange={(event) => change({ negated: event.target.checked })}
                />
                {texts.settings.permissions.condition.negated}
              </label>
              <IconButton
                icon="cross"
                label={texts.settings.permissions.condition.remove(place + 1)}
                onClick={() => onChange((all) => all.filter(({ key }) => key !== one.key))}
              />
            </div>
          </fieldset>
        );
      })}
      <datalist id={`${id}-known`}>
        {known.map((name) => (
          <option key={name} value={name} />
        ))}
      </datalist>
      {conditions.length > 0 && <p className="quiet">{texts.settings.permissions.condition.lead}</p>}
      <button
        ref={add}
        type="button"
        className="quiet-button"
        onClick={() =>
          onChange((all) => [
            ...all,
            { key: (all.at(-1)?.key ?? 0) + 1, argument: "", test: "equals", value: "", negated: false },
          ])
        }
      >
        {texts.settings.permissions.condition.add}
      </button>
    </div>
  );
}
