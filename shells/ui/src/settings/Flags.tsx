// Turns parts of the companion on and off.
import { useId, useState } from "react";
import { client, host, store, usePicture } from "../engine.js";
import { texts } from "../messages.js";
import { visible } from "../Plain.js";
import { said } from "../problems.js";
import { Problem } from "./Problem.js";

/** The flags that can be set here. The other flags are for apps that have the feature, or have no effect yet. */
const HERE: Record<string, () => boolean> = {
  companion_shell: () => true,
  desktop_notifications: () => host !== null || "Notification" in window,
  offline_drafts: () => true,
  tts: () => "speechSynthesis" in window,
  ambient: () => host !== null,
  release_channel: () => host !== null,
};

export default function FlagsSection() {
  const flags = usePicture((state) => state.flags);
  /** The values that are being saved; they are shown as if they were set already. */
  const [wanted, setWanted] = useState<Readonly<Record<string, boolean | string>>>({});
  const [problem, setProblem] = useState<ReturnType<typeof said> | null>(null);
  const shown = flags.filter(({ name }) => HERE[name]?.() ?? false);
  const id = useId();
  const set = (name: string, value: boolean | string): void => {
    setProblem(null);
    setWanted((now) => ({ ...now, [name]: value }));
    client
      .call("POST", "/api/flags", { [name]: value })
      .then(() =>
        Promise.race([
          store.until((state) => state.flags.some((flag) => flag.name === name && flag.value === value)),
          new Promise((resolve) => setTimeout(resolve, 1000)),
        ]),
      )
      .catch((error: unknown) => setProblem(said(error)))
      .finally(() => setWanted(({ [name]: _, ...rest }) => rest));
  };
  return (
    <section aria-labelledby={id}>
      <h2 id={id}>{texts.settings.sections.flags}</h2>
      <p className="quiet">{texts.settings.flags.lead}</p>
      <Problem problem={problem} />
      <ul className="rows">
        {shown.map(({ name, description, value: now, default: usual, choices }) => {
          const value = wanted[name] ?? now;
          return (
            <li key={name} className="row-item">
              <label className="row-main">
                {typeof value === "boolean" && (
                  <input type="checkbox" checked={value} onChange={(event) => set(name, event.target.checked)} />
                )}
                <span className="row-words">
                  {visible(description)} <code className="quiet">{name}</code>
                  {value !== usual && (
                    <span className="quiet">
                      {" "}
                      {typeof usual === "string"
                        ? texts.settings.flags.default(usual)
                        : usual
                          ? texts.settings.flags.defaultOn
                          : texts.settings.flags.defaultOff}
                    </span>
                  )}
                </span>
                {typeof value === "string" && (
                  <select className="narrow-select" value={value} onChange={(event) => set(name, event.target.value)}>
                    {(choices ?? [value]).map((choice) => (
                      <option key={choice}>{choice}</option>
                    ))}
                  </select>
                )}
              </label>
            </li>
          );
        })}
      </ul>
    </section>
  );
}
