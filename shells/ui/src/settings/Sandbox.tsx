// Whether commands run in a sandbox, and what there is on this machine.
import type { ToolInfo } from "@aster-sidecar/client";
import { useId } from "react";
import { Note } from "../Buttons.js";
import { usePicture } from "../engine.js";
import { texts } from "../messages.js";
import { visible } from "../Plain.js";
import { Problem } from "./Problem.js";
import { useConfigChange } from "./useConfig.js";

const SETTINGS = ["off", "auto", "required"] as const;

export function Sandbox({ tools }: { tools: readonly ToolInfo[] }) {
  const setting = usePicture((state) => state.config?.values.sandbox);
  const { change, wanted, problem } = useConfigChange();
  const state = tools.find(({ sandbox }) => sandbox != null)?.sandbox;
  const id = useId();
  return (
    <>
      <Problem problem={problem} />
      <div className="choices" role="radiogroup" aria-label={texts.settings.sandbox.title}>
        {SETTINGS.map((one) => (
          <label key={one} className="choice">
            <input
              type="radio"
              name={id}
              checked={(wanted.sandbox ?? setting?.value) === one}
              onChange={() => void change({ sandbox: one })}
            />
            <span className="choice-text">
              <span className="choice-name">{texts.settings.sandbox.each[one].name}</span>
              <span>{texts.settings.sandbox.each[one].words}</span>
            </span>
          </label>
        ))}
      </div>
      {state?.level != null && (
        <Note kind={state.level === "full" ? "info" : "warning"}>
          {texts.settings.sandbox.levels[state.level](visible(state.why ?? ""))}
        </Note>
      )}
    </>
  );
}
