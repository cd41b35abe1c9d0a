import { useId } from "react";
import { setTheme, useTheme, type Theme } from "../theme.js";

const THEMES: [Theme, string][] = [
  ["system", "Match system"],
  ["light", "Light"],
  ["dark", "Dark"],
];

export function AppearanceSection() {
  const theme = useTheme();
  const id = useId();
  return (
    <section aria-labelledby={`${id}-title`}>
      <h2 id={`${id}-title`}>Appearance</h2>
      <div className="choices" role="radiogroup" aria-labelledby={`${id}-title`}>
        {THEMES.map(([value, label]) => (
          <label key={value} className="choice">
            <input type="radio" name={id} checked={theme === value} onChange={() => setTheme(value)} />
            <span className="choice-text">
              <span className="choice-name">{label}</span>
            </span>
          </label>
        ))}
      </div>
      <p className="quiet">Saved on this device.</p>
    </section>
  );
}
