// When the agent asks; each mode is explained by its effect.
import { useId } from "react";
import { usePicture } from "../engine.js";
import { texts } from "../messages.js";
import { Problem } from "./Problem.js";
import { useConfigChange } from "./useConfig.js";

export const MODES = ["always_ask", "smart_approve", "auto_approve"] as const;

export function Modes() {
  const setting = usePicture((state) => state.config?.values.permission_mode);
  const { change, wanted, problem } = useConfigChange();
  const id = useId();
  return (
    <>
      <Problem problem={problem} />
      <div className="choices" role="radiogroup" aria-label={texts.settings.modes.title}>
        {MODES.map((mode) => (
          <label key={mode} className="choice">
            <input
              type="radio"
              name={id}
              checked={(wanted.permission_mode ?? setting?.value) === mode}
              onChange={() => void change({ permission_mode: mode })}
            />
            <span className="choice-text">
              <span className="choice-name">{texts.settings.modes.each[mode].name}</span>
              <span>{texts.settings.modes.each[mode].words}</span>
              <span className="quiet">{texts.settings.modes.each[mode].examples}</span>
            </span>
          </label>
        ))}
      </div>
      {setting && (
        <p className="quiet">{texts.settings.modes.now(texts.settings.sources[setting.source] ?? setting.source)}</p>
      )}
    </>
  );
}
