// Variables or headers of an MCP server, one row each.
import { useEffect, useId, useRef, type Dispatch, type SetStateAction } from "react";
import { IconButton } from "../../Buttons.js";
import { texts } from "../../messages.js";
import { isKept, isSecret, type DraftedValue } from "./draft.js";

interface ValuesProps {
  kind: "env" | "headers";
  values: readonly DraftedValue[];
  onChange: Dispatch<SetStateAction<readonly DraftedValue[]>>;
}

export function Values({ kind, values, onChange }: ValuesProps) {
  const id = useId();
  const list = useRef<HTMLDivElement>(null);
  const add = useRef<HTMLButtonElement>(null);
  const before = useRef(values.length);

  // The focus goes to a new row; when one is removed, to the button that adds one.
  useEffect(() => {
    if (values.length > before.current)
      list.current?.querySelector<HTMLElement>(".mcp-value:last-of-type input")?.focus();
    else if (values.length < before.current) add.current?.focus();
    before.current = values.length;
  }, [values.length]);

  return (
    <div ref={list} className="conditions">
      {values.map((one, place) => {
        const change = (changed: Partial<DraftedValue>): void =>
          onChange((all) => all.map((other) => (other.key === one.key ? { ...other, ...changed } : other)));
        const field = `${id}-${one.key}`;
        const kept = isKept(one);
        return (
          <fieldset key={one.key} className="condition mcp-value">
            <legend>{texts.settings.mcp.values.title[kind](place + 1)}</legend>
            <div className="field">
              <label htmlFor={`${field}-name`}>{texts.settings.mcp.name}</label>
              <input
                id={`${field}-name`}
                className="mono"
                value={one.name}
                readOnly={one.saved !== undefined}
                maxLength={200}
                autoComplete="off"
                autoCapitalize="none"
                spellCheck={false}
                onChange={(event) => change({ name: event.target.value })}
              />
            </div>
            <div className="field">
              <label htmlFor={`${field}-value`}>{texts.settings.mcp.value}</label>
              <input
                id={`${field}-value`}
                className="mono"
                type={isSecret(one) ? "password" : "text"}
                value={one.value}
                placeholder={kept && one.value === "" ? texts.settings.mcp.values.hidden : undefined}
                aria-describedby={kept && one.value === "" ? `${field}-kept` : undefined}
                autoComplete="off"
                autoCapitalize="none"
                spellCheck={false}
                onChange={(event) => change({ value: event.target.value })}
              />
            </div>
            <div className="condition-end">
              <label className="check-label">
                <input
                  type="checkbox"
                  checked={isSecret(one)}
                  disabled={kept}
                  onChange={(event) => change({ secret: event.target.checked })}
                />
                {texts.settings.mcp.values.secret}
              </label>
              <IconButton
                icon="cross"
                label={texts.settings.mcp.values.remove[kind](place + 1)}
                onClick={() => onChange((all) => all.filter(({ key }) => key !== one.key))}
              />
            </div>
            {kept && one.value === "" && (
              <p id={`${field}-kept`} className="quiet mcp-kept">
                {texts.settings.mcp.values.kept}
              </p>
            )}
          </fieldset>
        );
      })}
      {values.length > 0 && <p className="quiet">{texts.settings.mcp.values.lead}</p>}
      <button
        ref={add}
        type="button"
        className="quiet-button"
        onClick={() =>
          onChange((all) => [...all, { key: (all.at(-1)?.key ?? -1) + 1, name: "", value: "", secret: null }])
        }
      >
        {texts.settings.mcp.values.add[kind]}
      </button>
    </div>
  );
}
