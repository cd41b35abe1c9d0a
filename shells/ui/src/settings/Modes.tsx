// When the agent asks, explained by what would happen.
import { useId } from "react";
import { usePicture } from "../engine.js";
import { Problem } from "./Problem.js";
import { SOURCE, useConfigChange } from "./useConfig.js";

const MODES = [
  {
    mode: "always_ask",
    name: "Always ask",
    words: "Every call waits for you. Rules that allow are not looked at.",
    examples: ["reading a file: asks", "writing a file: asks", "running a command: asks"],
  },
  {
    mode: "smart_approve",
    name: "Ask for what changes something",
    words: "What only reads in the work directory runs at once; anything else waits, unless a rule allows it.",
    examples: ["reading a file: runs", "writing a file: asks", "running a command: asks"],
  },
  {
    mode: "auto_approve",
    name: "Never ask",
    words: "Everything runs that no rule denies. For work that you watch, or that can’t do harm.",
    examples: ["reading a file: runs", "writing a file: runs", "running a command: runs"],
  },
] as const;

export function Modes() {
  const setting = usePicture((state) => state.config?.values.permission_mode);
  const { change, wanted, problem } = useConfigChange();
  const id = useId();
  return (
    <>
      <Problem problem={problem} />
      <div className="choices" role="radiogroup" aria-label="When to ask">
        {MODES.map(({ mode, name, words, examples }) => (
          <label key={mode} className="choice">
            <input
              type="radio"
              name={id}
              checked={(wanted.permission_mode ?? setting?.value) === mode}
              onChange={() => void change({ permission_mode: mode })}
            />
            <span className="choice-text">
              <span className="choice-name">{name}</span>
              <span>{words}</span>
              <span className="quiet">{examples.join(" · ")}</span>
            </span>
          </label>
        ))}
      </div>
      {setting && <p className="quiet">Now: {SOURCE[setting.source] ?? setting.source}.</p>}
    </>
  );
}
