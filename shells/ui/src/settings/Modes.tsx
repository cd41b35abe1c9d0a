// When the agent asks, explained by what would happen.
import { useId } from "react";
import { usePicture } from "../engine.js";
import { Problem } from "./Problem.js";
import { SOURCE, useConfigChange } from "./useConfig.js";

const MODES = [
  {
    mode: "always_ask",
    name: "Always ask",
    words: "Every tool call waits for you. Rules that allow do not count.",
    examples: ["reading a file: asks", "writing a file: asks", "running a command: asks"],
  },
  {
    mode: "smart_approve",
    name: "Ask before changes",
    words: "Reading in the work directory runs at once. Everything else waits for you, unless a rule allows it.",
    examples: ["reading a file: runs", "writing a file: asks", "running a command: asks"],
  },
  {
    mode: "auto_approve",
    name: "Never ask",
    words: "Everything runs unless a rule denies it. Use it only while you watch, or where no harm can be done.",
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
