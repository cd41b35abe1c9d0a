// Which parts of the companion there are.
import { useId, useState } from "react";
import { useEndpoint, type Flag } from "../companion.js";
import { client } from "../engine.js";
import { visible } from "../Plain.js";
import { said } from "../words.js";
import { Problem } from "./Problem.js";

export default function FlagsSection() {
  const flags = useEndpoint<Flag[]>("/api/flags", "flags_changed");
  const [problem, setProblem] = useState<ReturnType<typeof said> | null>(null);
  const id = useId();
  const set = (name: string, value: boolean | string): void => {
    setProblem(null);
    flags.set((flags.data ?? []).map((flag) => (flag.name === name ? { ...flag, value } : flag)));
    client.call<Flag[]>("POST", "/api/flags", { [name]: value }).then(flags.set, (error: unknown) => {
      setProblem(said(error));
      flags.reload();
    });
  };
  return (
    <section aria-labelledby={id}>
      <h2 id={id}>Features</h2>
      <p className="quiet">What is off here is taken away.</p>
      <Problem problem={problem ?? flags.problem} />
      <ul className="rows">
        {flags.data?.map(({ name, description, value, default: usual, choices }) => (
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
                    (default: {typeof usual === "boolean" ? (usual ? "on" : "off") : usual})
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
        ))}
      </ul>
    </section>
  );
}
