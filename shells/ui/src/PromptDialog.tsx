// Asks for the arguments of a prompt.
import type { McpPrompt } from "@aster-sidecar/client";
import { useEffect, useId, useRef, useState } from "react";
import { Dialog } from "./Dialog.js";
import { texts } from "./messages.js";
import { visible } from "./Plain.js";
import { said } from "./problems.js";
import { Problem } from "./settings/Problem.js";

interface PromptDialogProps {
  server: string;
  prompt: McpPrompt;
  /** Uses the prompt. When it fails, the dialog stays and says why. */
  onFill: (given: Readonly<Record<string, string>>) => Promise<void>;
  onClose: () => void;
}

export function PromptDialog({ server, prompt, onFill, onClose }: PromptDialogProps) {
  const [given, setGiven] = useState<Readonly<Record<string, string>>>({});
  const [filling, setFilling] = useState(false);
  const [problem, setProblem] = useState<ReturnType<typeof said> | null>(null);
  const form = useRef<HTMLFormElement>(null);
  const id = useId();
  useEffect(() => {
    form.current?.querySelector("input")?.focus(); // the dialog is open by now
  }, []);
  return (
    <Dialog title={texts.offers.fill(prompt.title ?? prompt.name)} onClose={onClose}>
      {prompt.description != null && <p>{visible(prompt.description)}</p>}
      <p className="quiet">{texts.offers.from(server)}</p>
      <form
        ref={form}
        className="panel-form"
        onSubmit={(event) => {
          event.preventDefault();
          setProblem(null);
          setFilling(true);
          const kept = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== ""));
          onFill(kept).then(onClose, (error: unknown) => {
            setFilling(false);
            setProblem(said(error));
          });
        }}
      >
        {prompt.arguments.map(({ name, description, required }, place) => (
          <div key={name} className="panel-field">
            <label htmlFor={`${id}-${place}`}>
              {visible(name)}
              {required !== true && <span className="quiet"> {texts.offers.optional}</span>}
            </label>
            <input
              id={`${id}-${place}`}
              required={required === true}
              aria-describedby={description == null ? undefined : `${id}-${place}-about`}
              value={given[name] ?? ""}
              onChange={({ target }) => setGiven((now) => ({ ...now, [name]: target.value }))}
            />
            {description != null && (
              <p id={`${id}-${place}-about`} className="quiet">
                {visible(description)}
              </p>
            )}
          </div>
        ))}
        <Problem problem={problem} />
        <div className="panel-buttons">
          <button type="button" onClick={onClose}>
            {texts.shared.cancel}
          </button>
          <button type="submit" className="primary" disabled={filling}>
            {texts.offers.use}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
