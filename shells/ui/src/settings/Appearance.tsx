import { useId } from "react";
import { texts } from "../messages.js";
import { setTheme, useTheme, type Theme } from "../theme.js";

const THEMES: readonly Theme[] = ["system", "light", "dark"];

export function AppearanceSection() {
  const theme = useTheme();
  const id = useId();
  return (
    <section aria-labelledby={`${id}-title`}>
      <h2 id={`${id}-title`}>{texts.settings.sections.appearance}</h2>
      <div className="choices" role="radiogroup" aria-labelledby={`${id}-title`}>
        {THEMES.map((value) => (
          <label key={value} className="choice">
            <input type="radio" name={id} checked={theme === value} onChange={() => setTheme(value)} />
            <span className="choice-text">
              <span className="choice-name">{texts.settings.appearance.themes[value]}</span>
            </span>
          </label>
        ))}
      </div>
      <p className="quiet">{texts.settings.appearance.lead}</p>
    </section>
  );
}
